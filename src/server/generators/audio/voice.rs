//! Voice: turns one note after another into samples, as a throat does: a buzzing source, shaped by
//! three resonances.

use std::f32::consts::TAU;

use super::super::dice::Dice;
use super::SAMPLE_RATE;
use super::syllables::{Onset, Vowel};

/// Samples between two settings of the resonances: 3 ms, too short to hear the steps.
const CONTROL_SAMPLES: usize = 64;
/// How fast the resonances glide to the next vowel, per control step.
const GLIDE: f32 = 0.12;
/// Vibrato, as a singer has it: in cycles per second, and as a part of the pitch.
const VIBRATO_HERTZ: f32 = 5.2;
const VIBRATO_DEPTH: f32 = 0.006;
/// Fade at both ends of a note, in seconds: shorter ones click.
const ATTACK_SECONDS: f32 = 0.025;
const RELEASE_SECONDS: f32 = 0.06;
/// Widths of the resonances, in hertz.
const WIDTHS: [f32; 3] = [80.0, 100.0, 140.0];
/// How loud each resonance is: the upper ones give the vowel its colour, the lowest its body.
const WEIGHTS: [f32; 3] = [1.0, 0.55, 0.25];

/// One sung syllable.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    pub hertz: f32,
    pub vowel: Vowel,
    pub onset: Onset,
    /// 0 to 1.
    pub loudness: f32,
}

/// A singer, who keeps the phase and the shape of the mouth from note to note.
pub struct Voice {
    phase: f32,
    vibrato: f32,
    formants: [f32; 3],
    resonators: [Resonator; 3],
    breath: Dice,
}

impl Voice {
    pub fn new(breath: Dice) -> Voice {
        Voice { phase: 0.0, vibrato: 0.0, formants: formants(Vowel::U), resonators: [Resonator::default(); 3], breath }
    }

    /// Adds `note` to all of `out`.
    pub fn sing(&mut self, note: Note, out: &mut [f32]) {
        let length = out.len();
        for (index, sample) in out.iter_mut().enumerate() {
            if index % CONTROL_SAMPLES == 0 {
                self.shape(note.vowel);
            }
            let source = self.buzz(note.hertz) + self.onset_noise(note.onset, index);
            let level = note.loudness * envelope(index, length, note.onset);
            // The envelope acts on the source, so that the resonances ring out by themselves.
            *sample += self.resonate(source * level);
        }
    }

    /// Lets the resonances ring out over `out`: cutting them off would click.
    pub fn ring_out(&mut self, out: &mut [f32]) {
        for sample in out {
            *sample += self.resonate(0.0);
        }
    }

    fn shape(&mut self, vowel: Vowel) {
        let goals = formants(vowel);
        for index in 0..goals.len() {
            self.formants[index] += (goals[index] - self.formants[index]) * GLIDE;
            self.resonators[index].tune(self.formants[index], WIDTHS[index]);
        }
    }

    /// A saw-tooth with its edge rounded (PolyBLEP: Välimäki, Huovilainen 2007), lest it rattle.
    fn buzz(&mut self, hertz: f32) -> f32 {
        let rate = SAMPLE_RATE as f32;
        self.vibrato = (self.vibrato + VIBRATO_HERTZ / rate).fract();
        let bend = 1.0 + VIBRATO_DEPTH * (self.vibrato * TAU).sin();
        let step = hertz * bend / rate;
        self.phase = (self.phase + step).fract();
        2.0 * self.phase - 1.0 - edge(self.phase, step)
    }

    fn onset_noise(&mut self, onset: Onset, index: usize) -> f32 {
        let (seconds, level) = match onset {
            Onset::Open | Onset::Hum => return 0.0,
            Onset::Tap => (0.02, 0.9),
            Onset::Breath => (0.07, 0.5),
        };
        let left = 1.0 - index as f32 / (seconds * SAMPLE_RATE as f32);
        if left <= 0.0 {
            return 0.0;
        }
        self.breath.between(-level, level) * left
    }

    fn resonate(&mut self, source: f32) -> f32 {
        let mut sum = 0.0;
        for (resonator, weight) in self.resonators.iter_mut().zip(WEIGHTS) {
            sum += weight * resonator.next(source);
        }
        sum
    }
}

/// Centres of the lowest three resonances, in hertz (after Peterson, Barney 1952, voices of women).
fn formants(vowel: Vowel) -> [f32; 3] {
    match vowel {
        Vowel::A => [850.0, 1_220.0, 2_810.0],
        Vowel::E => [610.0, 2_330.0, 2_990.0],
        Vowel::I => [310.0, 2_790.0, 3_310.0],
        Vowel::O => [590.0, 920.0, 2_710.0],
        Vowel::U => [370.0, 950.0, 2_670.0],
    }
}

/// Loudness over a note, 0 to 1: up softly, a slow sinking, down softly.
fn envelope(index: usize, length: usize, onset: Onset) -> f32 {
    let rate = SAMPLE_RATE as f32;
    let attack = match onset {
        Onset::Open | Onset::Breath => ATTACK_SECONDS,
        Onset::Tap => ATTACK_SECONDS * 0.4,
        Onset::Hum => ATTACK_SECONDS * 2.5,
    };
    let (since, left) = (index as f32 / rate, (length - index) as f32 / rate);
    let sinking = 1.0 - 0.35 * index as f32 / length as f32;
    smooth(since / attack) * smooth(left / RELEASE_SECONDS) * sinking
}

/// 0 to 1 with a level start and end.
pub fn smooth(part: f32) -> f32 {
    let part = part.clamp(0.0, 1.0);
    part * part * (3.0 - 2.0 * part)
}

fn edge(phase: f32, step: f32) -> f32 {
    if phase < step {
        let part = phase / step;
        part + part - part * part - 1.0
    } else if phase > 1.0 - step {
        let part = (phase - 1.0) / step;
        part * part + part + part + 1.0
    } else {
        0.0
    }
}

/// A two-pole band pass.
#[derive(Debug, Clone, Copy, Default)]
struct Resonator {
    gain: f32,
    feedback: [f32; 2],
    past: [f32; 2],
}

impl Resonator {
    fn tune(&mut self, hertz: f32, width: f32) {
        let rate = SAMPLE_RATE as f32;
        // Below 1 for every width above 0: the resonance always dies away.
        let radius = (-TAU / 2.0 * width / rate).exp();
        let turn = TAU * hertz / rate;
        self.feedback = [2.0 * radius * turn.cos(), -radius * radius];
        self.gain = (1.0 - radius * radius) * turn.sin();
    }

    fn next(&mut self, source: f32) -> f32 {
        let out = self.gain * source + self.feedback[0] * self.past[0] + self.feedback[1] * self.past[1];
        self.past = [out, self.past[0]];
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sung(vowel: Vowel) -> Vec<f32> {
        let mut out = vec![0.0; 8_000];
        let note = Note { hertz: 220.0, vowel, onset: Onset::Open, loudness: 1.0 };
        Voice::new(Dice::for_text("voice", 0)).sing(note, &mut out);
        out
    }

    #[test]
    fn a_note_starts_and_ends_quietly_and_sounds_between() {
        let out = sung(Vowel::A);
        let loudest = |part: &[f32]| part.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!(loudest(&out[..20]) < 0.02 * loudest(&out));
        assert!(loudest(&out[2_000..6_000]) > 0.05);
    }

    #[test]
    fn vowels_sound_different() {
        assert_ne!(sung(Vowel::A), sung(Vowel::I));
    }

    #[test]
    fn the_resonances_die_away() {
        let mut voice = Voice::new(Dice::for_text("voice", 0));
        let note = Note { hertz: 220.0, vowel: Vowel::I, onset: Onset::Tap, loudness: 1.0 };
        voice.sing(note, &mut [0.0; 4_000]);
        let mut silence = [0.0; 8_000];
        voice.ring_out(&mut silence);
        assert!(silence[7_000..].iter().all(|sample| sample.abs() < 1e-4));
    }
}
