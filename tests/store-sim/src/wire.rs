//! Requests and answers as plain values: what a test builds by hand, a recorded exchange holds, and the server reads
//! from a socket.

/// One HTTP request as the shop sees it.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`
    pub method: String,
    /// Path and query as sent: `/wp-json/wc/v3/products?per_page=2`.
    pub target: String,
    /// Names in lower case with their values, in order.
    pub headers: Vec<(String, String)>,
    /// As sent.
    pub body: Vec<u8>,
    /// What WordPress's `is_ssl()` would say.
    pub https: bool,
}

/// One HTTP answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Names as WordPress writes them (`X-WP-Total`) with their values, in order.
    pub headers: Vec<(String, String)>,
    /// As sent.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
