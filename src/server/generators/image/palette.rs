//! Palettes: which colours a picture has, from the moods and colours that its words name.

use super::super::dice::Dice;
use super::super::words::is_form_of;
use super::colour::{Rgb, hex};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hour {
    Day,
    Night,
}

/// The colours of one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette {
    pub hour: Hour,
    /// From the top of the sky to the horizon.
    pub sky: [Rgb; 4],
    /// Sun or moon.
    pub light: Rgb,
    /// Land on the horizon and land before our feet; the rest lies between.
    pub far: Rgb,
    pub near: Rgb,
    /// Flowers, ribbons, shapes.
    pub accents: [Rgb; 5],
    pub paper: Rgb,
    pub ink: Rgb,
}

const DUSK: Palette = day(
    [0x2B2D5B, 0x8A4B7E, 0xEE7B6B, 0xFFCB8E],
    [0xFFF3D2, 0xC9728A, 0x241A3A],
    [0xF25F5C, 0xFFB35C, 0xFFE2A8, 0x7B4B94, 0x3D5A80],
    [0xFBEEE0, 0x241A3A],
);
const DAWN: Palette = day(
    [0x5B8FC9, 0x9FC1E0, 0xF5CFC4, 0xFFE9C9],
    [0xFFFBE8, 0xB7A9C9, 0x2F4858],
    [0xF4978E, 0xF6BD60, 0xFBC4AB, 0x84A59D, 0x5B8FC9],
    [0xFFF6EC, 0x2F3E46],
);
const AZURE: Palette = day(
    [0x1F6FB8, 0x4F9FDB, 0x9FD2EE, 0xE4F5F7],
    [0xFFFDE7, 0x8FB8CF, 0x123C4E],
    [0xFF7F51, 0xFFD166, 0x1E88C7, 0x2EC4B6, 0x0B4F8A],
    [0xF2F8FA, 0x0B2D3C],
);
const MOSS: Palette = day(
    [0x4F8A8B, 0x8FBFA8, 0xD5E3B5, 0xFBF3CF],
    [0xFFFBE0, 0x9BBF9F, 0x14342B],
    [0xE9C46A, 0xF4A261, 0x6A994E, 0x2A7F62, 0xBC4749],
    [0xF6F3E3, 0x14342B],
);
const EMBER: Palette = day(
    [0x4A1026, 0x97233F, 0xE0503A, 0xFFB067],
    [0xFFE6B8, 0xB8404A, 0x240A16],
    [0xE63946, 0xFF7B54, 0xFFB26B, 0x8D1F3A, 0xFFD9B0],
    [0xFDEBDD, 0x2A0D16],
);
const HONEY: Palette = day(
    [0x9A652F, 0xD79A45, 0xF5C869, 0xFDEFBC],
    [0xFFFBE6, 0xD3A35C, 0x3B2412],
    [0xE09F3E, 0xFFD56B, 0x9E2A2B, 0x5A3A1B, 0xFFF3B0],
    [0xFFF7E0, 0x3B2412],
);
const ROSE: Palette = day(
    [0x8B5A99, 0xD98AB0, 0xF7B7C5, 0xFFE5DC],
    [0xFFFAF0, 0xC58BB0, 0x3B1F45],
    [0xFF6F91, 0xFF9671, 0xFFC75F, 0xD65DB1, 0x845EC2],
    [0xFFF0F0, 0x3B1F45],
);
const VIOLET: Palette = day(
    [0x241B4D, 0x5A3D92, 0xA873C6, 0xF2BFD9],
    [0xFFF0F8, 0x8D6FB8, 0x1A1238],
    [0x9D4EDD, 0xC77DFF, 0xFF9EBB, 0x5A189A, 0xFFD6E0],
    [0xF6EFFB, 0x1F1440],
);
const FROST: Palette = day(
    [0x7D9DBD, 0xAAC4DA, 0xD6E4EE, 0xF7FAFC],
    [0xFFFFFF, 0xB9CBDC, 0x34506B],
    [0x5FA8D3, 0xEE6C4D, 0x1B4965, 0xBEE9E8, 0x8FB8DE],
    [0xF5F9FC, 0x1B3A52],
);
const MIDNIGHT: Palette = Palette {
    hour: Hour::Night,
    ..day(
        [0x070B24, 0x101C4A, 0x27407F, 0x5D7FB0],
        [0xFDF6D8, 0x2C4474, 0x060A1C],
        [0xFFD166, 0x8ECAE6, 0xEF8FB0, 0xB8A1FF, 0x4CC9F0],
        [0x10183A, 0x060A1C],
    )
};

/// Words that set the mood, each with its palette.
const MOODS: &[(&[&str], Palette)] = &[
    (&["sunset", "dusk", "evening", "autumn", "fall", "twilight"], DUSK),
    (&["dawn", "sunrise", "morning", "spring", "pastel"], DAWN),
    (&["summer", "noon", "sunny", "day", "sky"], AZURE),
    (&["winter", "snow", "snowy", "ice", "frost", "cold", "fog"], FROST),
    (&["fire", "volcano", "lava", "autumnal", "mars"], EMBER),
    (&["love", "romantic", "sweet", "candy"], ROSE),
];
/// Words that darken any palette into the night.
const NIGHT_WORDS: &[&str] = &[
    "night",
    "moon",
    "star",
    "starry",
    "midnight",
    "galaxy",
    "space",
    "dark",
    "moonlight",
    "dream",
    "lantern",
    "firefly",
    "fireflies",
];
/// Colour words, each with the palette that it tints the picture with.
const COLOURS: &[(&[&str], Palette)] = &[
    (&["red", "crimson", "scarlet", "ruby"], EMBER),
    (&["orange", "copper", "rust", "coral"], DUSK),
    (&["yellow", "gold", "golden", "amber", "honey"], HONEY),
    (&["green", "emerald", "olive", "mint", "jade"], MOSS),
    (&["blue", "azure", "navy", "turquoise", "cyan", "teal"], AZURE),
    (&["purple", "violet", "lavender", "lilac", "indigo"], VIOLET),
    (&["pink", "rose", "magenta", "peach"], ROSE),
    (&["white", "silver", "grey", "gray", "pale"], FROST),
    (&["black"], MIDNIGHT),
];
/// What the dice choose from where the words name nothing.
const ANY: [Palette; 8] = [DUSK, DAWN, AZURE, MOSS, EMBER, HONEY, ROSE, VIOLET];

/// The palette for `words`: the first colour word, else the mood, else the dice; a second colour word
/// gives the accents; a word of the night darkens it all.
pub fn choose(words: &[String], dice: &mut Dice) -> Palette {
    let any = dice.pick(&ANY);
    let mut colours = words.iter().filter_map(|word| entry(COLOURS, word));
    let (first, second) = (colours.next(), colours.next());
    let mood = words.iter().find_map(|word| entry(MOODS, word));
    let night = words.iter().any(|word| names(NIGHT_WORDS, word));
    let mut palette = match (first.or(mood), night) {
        (Some(named), false) => named,
        (Some(named), true) => named.at_night(),
        (None, true) => MIDNIGHT,
        (None, false) => any,
    };
    if let Some(second) = second {
        palette.accents = second.accents;
        palette.light = palette.light.mix(second.accents[0], 0.25);
    }
    palette
}

/// Whether any word names a colour or a mood.
pub fn is_named(words: &[String]) -> bool {
    words.iter().any(|word| entry(COLOURS, word).is_some() || entry(MOODS, word).is_some() || names(NIGHT_WORDS, word))
}

fn entry(table: &[(&[&str], Palette)], word: &str) -> Option<Palette> {
    let found = table.iter().find(|(keywords, _)| names(keywords, word));
    found.map(|(_, palette)| *palette)
}

fn names(keywords: &[&str], word: &str) -> bool {
    keywords.iter().any(|keyword| is_form_of(word, keyword))
}

impl Palette {
    /// The same colours after dark.
    pub fn at_night(self) -> Palette {
        let mut night = self;
        for (colour, dark) in night.sky.iter_mut().zip(MIDNIGHT.sky) {
            *colour = colour.mix(dark, 0.66);
        }
        night.hour = Hour::Night;
        night.light = MIDNIGHT.light;
        night.far = self.far.mix(MIDNIGHT.far, 0.6);
        night.near = self.near.mix(MIDNIGHT.near, 0.7);
        night.paper = MIDNIGHT.paper.mix(self.ink, 0.4);
        night.ink = MIDNIGHT.ink;
        night
    }

    /// The colour of land at `part` of the way from the horizon, 0, to our feet, 1.
    pub fn land(&self, part: f32) -> Rgb {
        self.far.mix(self.near, part)
    }

    pub fn is_night(&self) -> bool {
        self.hour == Hour::Night
    }
}

const fn day(sky: [u32; 4], places: [u32; 3], accents: [u32; 5], sheet: [u32; 2]) -> Palette {
    Palette {
        hour: Hour::Day,
        sky: [hex(sky[0]), hex(sky[1]), hex(sky[2]), hex(sky[3])],
        light: hex(places[0]),
        far: hex(places[1]),
        near: hex(places[2]),
        accents: [hex(accents[0]), hex(accents[1]), hex(accents[2]), hex(accents[3]), hex(accents[4])],
        paper: hex(sheet[0]),
        ink: hex(sheet[1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Palette {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        choose(&words, &mut Dice::for_text(text, 0))
    }

    #[test]
    fn a_colour_word_sets_the_palette_before_any_mood() {
        assert_eq!(chosen("a red sunrise"), EMBER);
        assert_eq!(chosen("a sunrise"), DAWN);
    }

    #[test]
    fn a_second_colour_word_gives_the_accents() {
        let palette = chosen("green hills with golden flowers");
        assert_eq!((palette.sky, palette.accents), (MOSS.sky, HONEY.accents));
    }

    #[test]
    fn words_of_the_night_darken_the_sky() {
        assert!(chosen("stars").is_night());
        let purple = chosen("purple night");
        assert!(purple.is_night());
        assert!(purple.sky[3].red < VIOLET.sky[3].red);
        assert_ne!(purple.sky, MIDNIGHT.sky);
    }

    #[test]
    fn words_that_name_nothing_leave_it_to_the_dice() {
        let texts: Vec<String> = (0..40).map(|number| format!("thing{number}")).collect();
        let first = chosen(&texts[0]);
        assert!(texts.iter().any(|text| chosen(text) != first));
    }
}
