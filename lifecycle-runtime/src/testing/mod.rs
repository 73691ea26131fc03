//! A test kit for the resources of a program (feature `testing`).
//!
//! * [`World`] runs an application under virtual time: with supplied and faked resources, faults in hooks, signals and
//!   requests at moments and at events. What became of it is [`Ended`], whose assertions print a readable difference.
//! * [`for_every_point`] stops an application at every await of every hook and task, in five ways, and finds what is
//!   not cancel safe.
//! * [`block_on`] is a virtual clock that waits for real servers, files and databases.
//!
//! The feature belongs under `[dev-dependencies]`, where it costs the program itself nothing. The page
//! recipes begins with the first test.

mod clock;
mod difference;
mod director;
mod ended;
mod event;
mod fault;
mod point;
mod points;
mod rules;
mod world;

pub use self::clock::block_on;
pub use self::ended::Ended;
pub use self::event::Event;
pub use self::fault::{Fault, Hook};
pub use self::point::Point;
pub use self::points::{Points, for_every_point};
pub use self::world::World;
