//! Aligned columns. Cells may be painted: alignment counts what is seen. On a terminal the widest text column gives way
//! until a line fits; elsewhere nothing is cut.

use super::{Terminal, Tone, shorten};

const GAP: &str = "  ";
/// No column is cut below this.
const MIN_CELL: usize = 8;

/// Rows under a heading.
pub(crate) struct Table {
    heading: Vec<&'static str>,
    /// Columns that may be cut.
    elastic: Vec<bool>,
    rows: Vec<Row>,
}

struct Row {
    cells: Vec<(Tone, String)>,
    /// Lines of their own below the row.
    below: Vec<(Tone, String)>,
}

impl Table {
    /// Headings; one that ends with `~` names a column that may be cut.
    pub(crate) fn new(heading: &[&'static str]) -> Self {
        let elastic = heading.iter().map(|name| name.ends_with('~')).collect();
        Self { heading: heading.iter().map(|name| name.trim_end_matches('~')).collect(), elastic, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<(Tone, String)>) {
        self.rows.push(Row { cells, below: Vec::new() });
    }

    /// One more line below the last row.
    pub(crate) fn below(&mut self, tone: Tone, text: String) {
        if let Some(row) = self.rows.last_mut() {
            row.below.push((tone, text));
        }
    }

    pub(crate) fn lines(&self, terminal: &Terminal) -> Vec<String> {
        let widths = self.widths(terminal.width());
        let mut lines = vec![terminal.paint(
            Tone::Quiet,
            self.join(&widths, self.heading.iter().map(|name| (*name).to_owned()), |_, text| text),
        )];
        for row in &self.rows {
            let texts = row.cells.iter().zip(&widths).map(|((_, text), width)| shorten(text, *width));
            lines.push(self.join(&widths, texts, |column, text| terminal.paint(row.cells[column].0, text)));
            for (tone, text) in &row.below {
                let text = terminal.width().map_or_else(|| text.clone(), |width| shorten(text, width - 2));
                lines.push(format!("  {}", terminal.paint(*tone, text)));
            }
        }
        lines
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heading.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            for (width, (_, text)) in widths.iter_mut().zip(&row.cells) {
                *width = (*width).max(text.chars().count());
            }
        }
        let Some(limit) = limit else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            let candidate = (0..widths.len()).filter(|column| self.elastic[*column] && widths[*column] > MIN_CELL);
            let Some(widest) = candidate.max_by_key(|column| widths[*column]) else { break };
            widths[widest] -= 1;
        }
        widths
    }

    fn join(
        &self,
        widths: &[usize],
        texts: impl Iterator<Item = String>,
        paint: impl Fn(usize, String) -> String,
    ) -> String {
        let mut line = String::new();
        for (column, text) in texts.enumerate() {
            if column > 0 {
                line.push_str(GAP);
            }
            let seen = text.chars().count();
            line.push_str(&paint(column, text));
            // Nothing follows the last column, so it is not filled up.
            if column + 1 < widths.len() {
                line.extend(std::iter::repeat_n(' ', widths[column].saturating_sub(seen)));
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["ID", "WORKFLOW~", "STATUS"]);
        table.row(vec![
            (Tone::Plain, "1".into()),
            (Tone::Plain, "stock/synchronise-everything".into()),
            (Tone::Bad, "parked".into()),
        ]);
        table.below(Tone::Quiet, "x".repeat(100));
        table.row(vec![(Tone::Plain, "22".into()), (Tone::Plain, "ä".into()), (Tone::Good, "ok".into())]);
        table
    }

    #[test]
    fn nothing_is_cut_where_nobody_watches() {
        let lines = table().lines(&Terminal::plain(None));
        assert_eq!(lines[0], "ID  WORKFLOW                      STATUS");
        assert_eq!(lines[1], "1   stock/synchronise-everything  parked");
        assert_eq!(lines[2], format!("  {}", "x".repeat(100)));
        assert_eq!(lines[3], "22  ä                             ok");
    }

    #[test]
    fn lines_fit_a_terminal() {
        let lines = table().lines(&Terminal::plain(Some(30)));
        assert!(lines.iter().all(|line| line.chars().count() <= 30), "{lines:#?}");
        assert_eq!(lines[1], "1   stock/synchronise…  parked");
    }
}
