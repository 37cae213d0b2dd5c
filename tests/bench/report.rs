//! The table and the JSON that a benchmark leaves.

use serde_json::json;

/// Figures in the order they were measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(String, f64, &'static str, String)>,
}

impl Report {
    /// Adds a figure with its unit and what is wanted, and shows it at once.
    pub(crate) fn add(&mut self, what: impl Into<String>, value: f64, unit: &'static str, target: impl Into<String>) {
        let row = (what.into(), value, unit, target.into());
        println!("{}", line(&row));
        self.rows.push(row);
    }

    /// Prints all again, then the same as one line of JSON.
    pub(crate) fn print(&self) {
        println!("\n{:<64} {:>12} {:<8} target", "what", "figure", "unit");
        for row in &self.rows {
            println!("{}", line(row));
        }
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|(what, value, unit, target)| json!({ "what": what, "value": value, "unit": unit, "target": target }))
            .collect();
        println!("{}", json!({ "benchmarks": rows }));
    }
}

fn line((what, value, unit, target): &(String, f64, &'static str, String)) -> String {
    let digits = if *value >= 100.0 { 0 } else { 3 };
    format!("{what:<64} {value:>12.digits$} {unit:<8} {target}")
}
