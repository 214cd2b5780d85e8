//! Blocks whose settings several tiles of a row share.

use std::collections::BTreeSet;

use super::Decoder;
use super::configuration::Place;
use crate::error::Error;

/// Where a block is.
pub(super) struct Site {
    /// The first of its tiles.
    pub(super) place: Place,
    /// How many columns behind that its wires are.
    column: i16,
    /// What it is, for people.
    what: &'static str,
    /// What the names of its settings begin with.
    prefix: String,
    /// The tiles that have some.
    pub(super) tiles: Vec<(Place, String)>,
}

impl Site {
    pub(super) fn described(&self) -> String {
        let (row, column) = self.wires();
        format!("the {} of row {row} and column {column}", self.what)
    }

    /// The tile of its wires.
    pub(super) fn wires(&self) -> Place {
        (self.place.0, self.place.1.saturating_add(self.column))
    }

    /// The same block, whose wires are some columns behind its first tile.
    pub(super) fn with_wires_at(self, column: i16) -> Self {
        Self { column, ..self }
    }

    pub(super) fn name(&self, setting: &str) -> String {
        format!("{}.{setting}", self.prefix)
    }

    /// A setting's name within the block, if it is one of this block.
    fn own_name<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.prefix)?.strip_prefix('.')
    }
}

impl Decoder<'_> {
    /// A block whose settings are called `prefix` and something, in `reach` columns from `first` on.
    pub(super) fn site(&self, what: &'static str, first: Place, prefix: &str, reach: i16) -> Site {
        let of_it = format!("{prefix}.");
        let mut tiles = Vec::new();
        for column in first.1..first.1.saturating_add(reach) {
            let place = (first.0, column);
            for kind in self.database.kinds_at(place) {
                if self.database.has_settings(kind, &of_it) {
                    tiles.push((place, kind.to_owned()));
                }
            }
        }
        Site {
            place: first,
            column: 0,
            what,
            prefix: prefix.to_owned(),
            tiles,
        }
    }

    /// The word of a setting that several tiles share. In each, some words look alike; it is the one
    /// that all of them may mean.
    pub(super) fn choice(&self, site: &Site, setting: &str) -> Result<String, Error> {
        let name = site.name(setting);
        let mut possible: Option<BTreeSet<&str>> = None;
        for (place, kind) in &site.tiles {
            let Some(choice) = self.database.choice(kind, &name) else {
                continue;
            };
            let own = self.configuration.setting(*place, kind, &name);
            let own = own.unwrap_or(&choice.default);
            // The bits of a setting which does not belong to the block's mode may mean anything.
            let Some(bits) = choice.options.get(own) else {
                continue;
            };
            let alike = choice.options.iter().filter(|(_, other)| *other == bits);
            let alike: BTreeSet<&str> = alike.map(|(word, _)| word.as_str()).collect();
            possible = Some(match possible {
                None => alike,
                Some(before) => before.intersection(&alike).copied().collect(),
            });
        }
        let mut possible = possible.unwrap_or_default().into_iter();
        match (possible.next(), possible.next()) {
            (Some(word), None) => Ok(word.to_owned()),
            _ => Err(Error::Undecodable {
                place: site.described(),
                what: format!("no plain value of `{name}`"),
            }),
        }
    }

    /// Whether a block has the mode `on`: whether all of its tiles have the bits of it.
    pub(super) fn is_on(&self, site: &Site, on: &str) -> bool {
        let name = site.name("MODE");
        site.tiles.iter().all(|key| {
            let Some(choice) = self.database.choice(&key.1, &name) else {
                return true;
            };
            let tile = self.configuration.tiles.get(key);
            let own = tile.and_then(|tile| tile.value(&name));
            let own = choice.options.get(own.unwrap_or(&choice.default));
            own.zip(choice.options.get(on))
                .is_some_and(|(own, wanted)| wanted.iter().all(|bit| own.contains(bit)))
        })
    }

    /// Marks the settings of a block that is off as understood where their bits are those of settings
    /// that are: blocks that share tiles share bits, and `ecpunpack` names them for each.
    pub(super) fn understand_shared_bits(&self, site: &Site) {
        for (place, kind) in &site.tiles {
            let Some(tile) = self.configuration.tiles.get(&(*place, kind.clone())) else {
                continue;
            };
            let bits = |name: &str, word: &str| {
                let options = self.database.choice(kind, name).map(|c| &c.options);
                options.and_then(|options| options.get(word))
            };
            let of_others = tile
                .understood()
                .filter_map(|(name, word)| bits(name, word));
            let of_others: BTreeSet<&String> = of_others.flatten().collect();
            let own = tile.names().filter(|name| site.own_name(name).is_some());
            let shared: Vec<&str> = own
                .filter(|name| {
                    let own = tile.value(name).and_then(|word| bits(name, word));
                    own.is_some_and(|own| own.iter().all(|bit| of_others.contains(bit)))
                })
                .collect();
            for name in shared {
                self.configuration.setting(*place, kind, name);
            }
        }
    }

    /// Marks a block's settings as understood whose names `which` has.
    pub(super) fn understand(&self, site: &Site, which: impl Fn(&str) -> bool) {
        for key in &site.tiles {
            let Some(tile) = self.configuration.tiles.get(key) else {
                continue;
            };
            for name in tile.names() {
                if site.own_name(name).is_some_and(&which) {
                    self.configuration.setting(key.0, &key.1, name);
                }
            }
        }
    }
}
