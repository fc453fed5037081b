//! Scenes: what a picture shows, and which of the words decides it.

mod city;
mod dunes;
mod forest;
mod garden;
mod geometric;
mod mountains;
mod night;
mod ribbons;
mod sea;

use super::super::dice::Dice;
use super::super::words::is_form_of;
use super::canvas::Canvas;
use super::palette::{self, Palette};

/// What to paint, as far as the words decide it.
#[derive(Debug, Clone)]
pub struct Brief {
    pub scene: Scene,
    pub palette: Palette,
    guests: Vec<Guest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    Mountains,
    Dunes,
    Night,
    Sea,
    City,
    Forest,
    Garden,
    Geometric,
    Ribbons,
}

/// A small figure that joins a landscape where the words name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    Cat,
    Balloon,
    Birds,
    Cabin,
    Lake,
}

const ANY_SCENE: [Scene; 9] = [
    Scene::Mountains,
    Scene::Dunes,
    Scene::Night,
    Scene::Sea,
    Scene::City,
    Scene::Forest,
    Scene::Garden,
    Scene::Geometric,
    Scene::Ribbons,
];

/// Words that name a place or a subject.
const SUBJECTS: &[(&[&str], Scene)] = &[
    (
        &[
            "sea",
            "ocean",
            "wave",
            "beach",
            "boat",
            "ship",
            "sail",
            "sailing",
            "coast",
            "island",
            "fish",
            "whale",
            "harbour",
            "harbor",
            "lighthouse",
        ],
        Scene::Sea,
    ),
    (
        &["mountain", "mountains", "hill", "alps", "peak", "valley", "lake", "fjord", "volcano", "canyon"],
        Scene::Mountains,
    ),
    (&["desert", "dune", "sand", "sahara", "camel", "mars", "planet"], Scene::Dunes),
    (
        &["city", "cities", "town", "street", "skyline", "building", "tower", "skyscraper", "bridge", "robot"],
        Scene::City,
    ),
    (&["forest", "tree", "wood", "pine", "jungle", "fox", "deer", "bear", "owl"], Scene::Forest),
    (
        &[
            "flower",
            "garden",
            "tulip",
            "meadow",
            "bloom",
            "daisy",
            "daisies",
            "poppy",
            "poppies",
            "butterfly",
            "butterflies",
            "bee",
            "bouquet",
            "field",
        ],
        Scene::Garden,
    ),
    (
        &[
            "abstract",
            "geometric",
            "bauhaus",
            "poster",
            "logo",
            "shape",
            "pattern",
            "cube",
            "circle",
            "modern",
            "square",
        ],
        Scene::Geometric,
    ),
    (&["flow", "ribbon", "wind", "music", "silk", "dance", "energy", "swirl", "jazz", "song", "smoke"], Scene::Ribbons),
];

/// Words of a time or a mood, which choose the scene only where no subject is named.
const MOMENTS: &[(&[&str], Scene)] = &[
    (&["night", "moon", "star", "starry", "galaxy", "space", "dream", "midnight", "universe"], Scene::Night),
    (&["sunset", "sunrise", "dawn", "dusk", "landscape", "winter", "snow", "balloon"], Scene::Mountains),
    (&["spring", "rose", "love", "summer", "birthday"], Scene::Garden),
    (&["water", "blue"], Scene::Sea),
    (&["autumn", "fog"], Scene::Forest),
];

const GUESTS: &[(&[&str], Guest)] = &[
    (&["cat", "kitten", "kitty"], Guest::Cat),
    (&["balloon"], Guest::Balloon),
    (&["bird", "gull", "seagull", "swallow"], Guest::Birds),
    (&["cabin", "house", "home", "hut", "cottage"], Guest::Cabin),
    (&["lake", "reflection", "river", "mirror"], Guest::Lake),
];

impl Brief {
    /// Reads the scene, the colours and the guests from `words`, and leaves the rest to the dice.
    pub fn read(words: &[String], dice: &mut Dice) -> Brief {
        let any = dice.pick(&ANY_SCENE);
        let named = first_named(SUBJECTS, words).or_else(|| first_named(MOMENTS, words));
        let guests: Vec<Guest> = GUESTS
            .iter()
            .filter(|(keywords, _)| words.iter().any(|word| names(keywords, word)))
            .map(|(_, guest)| *guest)
            .collect();
        // A guest needs ground to stand on, which the abstract scenes lack.
        let scene = match (named, guests.is_empty()) {
            (Some(named), _) => named,
            (None, true) => any,
            (None, false) => dice.pick(&[Scene::Mountains, Scene::Night, Scene::Forest]),
        };
        let mut palette = palette::choose(words, dice);
        if scene == Scene::Night && !palette.is_night() {
            palette = palette.at_night();
        }
        Brief { scene, palette, guests }
    }

    pub fn shows(&self, guest: Guest) -> bool {
        self.guests.contains(&guest)
    }
}

/// The entry of the first word that any of `table` names: what is said first is meant most.
fn first_named(table: &[(&[&str], Scene)], words: &[String]) -> Option<Scene> {
    words.iter().find_map(|word| {
        let found = table.iter().find(|(keywords, _)| names(keywords, word));
        found.map(|(_, scene)| *scene)
    })
}

fn names(keywords: &[&str], word: &str) -> bool {
    keywords.iter().any(|keyword| is_form_of(word, keyword))
}

/// Paints the scene of `brief` over the whole canvas.
pub fn compose(canvas: &mut Canvas, brief: &Brief, dice: &mut Dice) {
    match brief.scene {
        Scene::Mountains => mountains::compose(canvas, brief, dice),
        Scene::Dunes => dunes::compose(canvas, brief, dice),
        Scene::Night => night::compose(canvas, brief, dice),
        Scene::Sea => sea::compose(canvas, brief, dice),
        Scene::City => city::compose(canvas, brief, dice),
        Scene::Forest => forest::compose(canvas, brief, dice),
        Scene::Garden => garden::compose(canvas, brief, dice),
        Scene::Geometric => geometric::compose(canvas, brief, dice),
        Scene::Ribbons => ribbons::compose(canvas, brief, dice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(text: &str) -> Brief {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Brief::read(&words, &mut Dice::for_text(text, 0))
    }

    #[test]
    fn a_subject_decides_the_scene_before_a_moment() {
        assert_eq!(brief("sunset over the ocean").scene, Scene::Sea);
        assert_eq!(brief("a city at night").scene, Scene::City);
        assert!(brief("a city at night").palette.is_night());
        assert_eq!(brief("sunset").scene, Scene::Mountains);
    }

    #[test]
    fn of_two_subjects_the_first_decides() {
        assert_eq!(brief("flowers by the sea").scene, Scene::Garden);
        assert_eq!(brief("sea of flowers").scene, Scene::Sea);
    }

    #[test]
    fn a_guest_comes_only_where_it_is_named_and_finds_ground_to_stand_on() {
        for number in 0..20 {
            let with_cat = brief(&format!("my cat {number}"));
            assert!(with_cat.shows(Guest::Cat));
            assert!(!with_cat.shows(Guest::Balloon));
            assert!(!matches!(with_cat.scene, Scene::Geometric | Scene::Ribbons));
        }
    }

    #[test]
    fn words_that_name_nothing_reach_every_scene() {
        let mut seen: Vec<Scene> = (0..200).map(|n| brief(&format!("thing{n}")).scene).collect();
        seen.sort_by_key(|scene| *scene as u8);
        seen.dedup();
        assert_eq!(seen.len(), ANY_SCENE.len());
    }
}
