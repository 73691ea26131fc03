#![doc = include_str!("../../docs/testing.md")]

mod clock;
mod difference;
mod director;
mod ended;
mod event;
mod fault;
mod notes;
#[cfg(unix)]
mod output;
mod point;
mod points;
#[cfg(unix)]
mod process;
mod rules;
mod threads;
mod world;

pub use self::clock::block_on;
pub use self::ended::Ended;
pub use self::event::Event;
pub use self::fault::{Fault, Hook};
pub use self::notes::{NoteOnDrop, Notes};
#[cfg(unix)]
pub use self::output::{Line, Stream};
pub use self::point::Point;
pub use self::points::{Points, for_every_point, for_every_point_in_parallel};
#[cfg(unix)]
pub use self::process::{Exit, Process, Program};
pub use self::world::World;
