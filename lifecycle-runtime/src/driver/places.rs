//! A list whose places have numbers, and are used again.

use std::num::NonZeroU32;

/// The number of a place, which begins at 1.
pub(super) type Place = NonZeroU32;

pub(super) struct Places<T> {
    places: Vec<Entry<T>>,
    /// The free place that is taken next.
    free: Option<Place>,
    taken: usize,
}

enum Entry<T> {
    Taken(T),
    Free { next: Option<Place> },
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: None, taken: 0 }
    }
}

impl<T> Places<T> {
    pub(super) fn add(&mut self, thing: T) -> Place {
        self.taken += 1;
        if let Some(place) = self.free {
            if let Entry::Free { next } = std::mem::replace(self.entry(place), Entry::Taken(thing)) {
                self.free = next;
            }
            return place;
        }
        self.places.push(Entry::Taken(thing));
        let count = u32::try_from(self.places.len()).ok().and_then(Place::new);
        count.expect("a list of so many places does not fit into memory")
    }

    /// Gives up a place that is taken.
    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        let free = Entry::Free { next: self.free.replace(place) };
        self.taken -= 1;
        match std::mem::replace(self.entry(place), free) {
            Entry::Taken(thing) => Some(thing),
            Entry::Free { .. } => None,
        }
    }

    /// Puts another thing into a place that is taken.
    pub(super) fn replace(&mut self, place: Place, thing: T) -> Option<T> {
        match std::mem::replace(self.entry(place), Entry::Taken(thing)) {
            Entry::Taken(before) => Some(before),
            Entry::Free { .. } => None,
        }
    }

    /// What is in a place, if there is such a place and it is taken.
    pub(super) fn get(&self, place: Place) -> Option<&T> {
        match self.places.get(place.get() as usize - 1)? {
            Entry::Taken(thing) => Some(thing),
            Entry::Free { .. } => None,
        }
    }

    /// How many places are taken.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    /// Gives up all places. The list keeps its memory.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        (self.free, self.taken) = (None, 0);
        self.places.drain(..).filter_map(Entry::into_thing)
    }

    /// All things, in no particular order.
    pub(super) fn into_things(self) -> impl Iterator<Item = T> {
        self.places.into_iter().filter_map(Entry::into_thing)
    }

    fn entry(&mut self, place: Place) -> &mut Entry<T> {
        &mut self.places[place.get() as usize - 1]
    }
}

impl<T> Entry<T> {
    fn into_thing(self) -> Option<T> {
        match self {
            Self::Taken(thing) => Some(thing),
            Self::Free { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn places_are_used_again() {
        let mut places = Places::default();
        let [first, second, third] = ["a", "b", "c"].map(|thing| places.add(thing));
        assert_eq!((places.remove(second), places.get(second)), (Some("b"), None));
        assert_eq!(places.remove(first), Some("a"));
        assert_eq!((places.add("d"), places.add("e")), (first, second));
        assert_eq!(places.replace(third, "f"), Some("c"));
        assert_eq!((places.len(), places.get(third)), (3, Some(&"f")));
        assert_eq!(places.drain().collect::<Vec<_>>(), ["d", "e", "f"]);
        assert_eq!((places.len(), places.get(first)), (0, None));
        assert_eq!((places.add("g"), places.add("h")), (first, second));
        assert_eq!(places.into_things().collect::<Vec<_>>(), ["g", "h"]);
    }

    #[test]
    fn a_place_is_no_larger_than_a_waker() {
        assert_eq!(size_of::<Entry<Waker>>(), size_of::<Waker>());
    }
}
