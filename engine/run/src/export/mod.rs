//! `export` and `import`: what storage holds as readable lines of JSON, out of a running engine page by page, and back
//! into an empty one as history that moves nothing. [`line`](mod@line) is the form, [`read`] the way out, [`write`] the way in.

mod line;
mod read;
mod write;

pub use line::{Head, Kind, LINE_BYTES_MAX, Line, LineError, VERSION};
pub use read::Part;
pub(crate) use read::page;
pub(crate) use write::import;
pub use write::{ImportError, Imported};
