//! What kind of demand a product has, by how often and how evenly it is asked for: the categories of Syntetos, Boylan and
//! Croston (2005), "On the categorization of demand patterns", Journal of the Operational Research Society 56, 495-503.

use schemars::JsonSchema;
use serde::Serialize;

/// From this average interval between demands on (in periods), demand is not regular.
pub const ADI_CUTOFF: f64 = 1.32;
/// From this squared coefficient of variation of the sizes on, they are not even.
pub const CV2_CUTOFF: f64 = 0.49;

/// How demand comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// Nothing was sold in any complete period.
    None,
    /// Regular and even.
    Smooth,
    /// Regular, uneven.
    Erratic,
    /// Seldom, even.
    Intermittent,
    /// Seldom, uneven.
    Lumpy,
}

/// What the pattern is decided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Average inter-demand interval: periods per period with demand.
    pub adi: f64,
    /// Squared coefficient of variation of the demands that are not zero.
    pub cv2: f64,
}

/// The measures of a history; nothing for one without demand.
pub fn measure(demand: &[f64]) -> Option<Measures> {
    let sizes: Vec<f64> = demand.iter().copied().filter(|size| *size > 0.0).collect();
    let count = sizes.len() as f64;
    if sizes.is_empty() {
        return None;
    }
    let mean = sizes.iter().sum::<f64>() / count;
    let variance = match sizes.len() {
        1 => 0.0,
        _ => sizes.iter().map(|size| (size - mean).powi(2)).sum::<f64>() / (count - 1.0),
    };
    Some(Measures { adi: demand.len() as f64 / count, cv2: variance / mean.powi(2) })
}

impl Measures {
    /// The category.
    pub fn pattern(self) -> Pattern {
        match (self.adi < ADI_CUTOFF, self.cv2 < CV2_CUTOFF) {
            (true, true) => Pattern::Smooth,
            (true, false) => Pattern::Erratic,
            (false, true) => Pattern::Intermittent,
            (false, false) => Pattern::Lumpy,
        }
    }
}
