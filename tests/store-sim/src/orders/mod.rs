//! Orders without their routes: `edit` makes and changes them, `status` moves them along and lets stock, coupons and
//! customers follow, `totals` computes what they cost, `refunds` gives back, `view` shows them.

pub mod catalog;
pub mod coupons;
pub mod decimal;
pub mod discount;
pub mod edit;
pub mod fields;
pub mod lines;
pub mod notes;
pub mod refunds;
pub mod status;
pub mod stock;
pub mod tax;
pub mod totals;
pub mod view;
