//! How an application behaves under virtual time, one file for each topic. The rules that the tests cite are those of
//! `DESIGN.md`, section 5.

mod blocking;
mod body;
mod by_hand;
mod capture;
mod crash_points;
mod deadline;
mod delay;
mod drops;
mod embedding;
mod errors;
mod escalation;
mod logging;
mod metrics;
mod misconfigured;
mod misuse;
mod notices;
mod optional;
mod peers;
mod plan;
mod reload;
mod report;
mod rollback;
mod spans;
mod spawner;
mod stage;
mod start;
mod supply;
mod tasks;
mod threads;
mod time_left;
mod turns;
mod world;
