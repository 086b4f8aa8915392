//! Hostile, broken and merely unlucky peers. Each test runs alone, keeps a witness on the line throughout, and ends
//! with the server's memory and sockets back where they belong. What is random prints its seed.

mod crowds;
mod floods;
mod frozen;
mod half_open;
mod mutated;
mod relogin;
mod resets;
mod slow_http;
mod witness;
