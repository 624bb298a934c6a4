//! Which connection has the least to do.
//!
//! Connections stand in rows by how many requests are under way on each, so that finding the
//! least loaded one and moving it cost the same for ten connections and for ten thousand.

/// Connections that can take a request, by how many they have.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// Connections by their load.
    rows: Vec<Vec<usize>>,
    /// Where each connection stands: its row, and its place there.
    places: Vec<Option<(usize, usize)>>,
    /// No row below this one has a connection.
    lowest: usize,
}

impl Balance {
    /// The connection has so many requests, and can take another.
    pub(super) fn set(&mut self, connection_idx: usize, load: usize) {
        if self.places.get(connection_idx).copied().flatten().is_some_and(|(row, _)| row == load) {
            return;
        }
        self.remove(connection_idx);
        if self.rows.len() <= load {
            self.rows.resize_with(load + 1, Vec::new);
        }
        if self.places.len() <= connection_idx {
            self.places.resize(connection_idx + 1, None);
        }
        self.places[connection_idx] = Some((load, self.rows[load].len()));
        self.rows[load].push(connection_idx);
        self.lowest = self.lowest.min(load);
    }

    /// The connection takes no request now.
    pub(super) fn remove(&mut self, connection_idx: usize) {
        let Some((row, place)) = self.places.get_mut(connection_idx).and_then(Option::take) else {
            return;
        };
        let row = &mut self.rows[row];
        row.swap_remove(place);
        if let Some(moved) = row.get(place)
            && let Some(Some(stands)) = self.places.get_mut(*moved)
        {
            stands.1 = place;
        }
    }

    /// One with the least, and how many it has.
    pub(super) fn least(&mut self) -> Option<(usize, usize)> {
        while let Some(row) = self.rows.get(self.lowest) {
            if let Some(connection_idx) = row.last() {
                return Some((*connection_idx, self.lowest));
            }
            self.lowest += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_spread_evenly() {
        let mut balance = Balance::default();
        (0..4).for_each(|connection_idx| balance.set(connection_idx, 0));
        for n in 0..40 {
            let (connection_idx, load) = balance.least().unwrap();
            assert_eq!(load, n / 4);
            balance.set(connection_idx, load + 1);
        }
    }

    proptest! {
        #[test]
        fn the_least_is_the_least(
            steps in prop::collection::vec((0..8_usize, prop::option::of(0..6_usize)), 0..100)
        ) {
            let mut balance = Balance::default();
            let mut loads = [None; 8];
            for (connection_idx, load) in steps {
                loads[connection_idx] = load;
                match load {
                    Some(load) => balance.set(connection_idx, load),
                    None => balance.remove(connection_idx),
                }
                let least = balance.least();
                prop_assert_eq!(least.map(|(_, load)| load), loads.iter().flatten().min().copied());
                if let Some((connection_idx, load)) = least {
                    prop_assert_eq!(loads[connection_idx], Some(load));
                }
            }
        }
    }
}
