//! Who may log in and who may push. Comparisons take constant time; nothing here keeps or logs a secret.

mod login;
mod push;

pub use login::{LoginRefusal, classic_login};
pub use push::{Caller, Port, PushAccess, PushGrant, PushRefusal};
