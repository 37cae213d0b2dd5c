//! `store-sim`: look-alike stores behind one address.
fn main() {}
