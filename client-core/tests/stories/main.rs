//! Stories: what happens to the client, and what it decides. One room per concern; `legacy` retells each
//! defect of the classic client class and shows that this one does not have it.

mod script;

mod aged;
mod heartbeat;
mod legacy;
mod line;
mod login;
mod positions;
mod requests;
mod routing;
mod streams;
