//! Audio: sings a text. Each syllable is a note of a five-tone scale in a small voice that shapes the
//! vowels, with a bell on each stressed one. It is babble with the rhythm of the text, not speech.

mod syllables;
mod voice;

use std::f32::consts::TAU;
use std::io::Cursor;

use super::dice::{Dice, mix};
use super::{GenerationError, MAX_AUDIO_SECONDS};
use syllables::{Beat, Syllable};

pub use syllables::Vowel;
use voice::{Note, Voice, smooth};

/// Samples per second: enough for a voice, half the size of a music file.
pub const SAMPLE_RATE: u32 = 22_050;

/// Length of a syllable in seconds: between a hasty and a solemn speaker. A text that is too long for
/// its time breaks off; one that is too short is sung again.
const SHORTEST_SYLLABLE: f32 = 0.12;
const LONGEST_SYLLABLE: f32 = 0.34;
/// Steps of the scale in half-tones: the major pentatonic, in which no two notes quarrel.
const SCALE: [i32; 5] = [0, 2, 4, 7, 9];
/// Range of the melody, in steps of the scale: two octaves.
const MELODY_STEPS: i32 = 10;
/// The lowest keynotes, in hertz: G3, A3, B♭3, C4.
const KEYNOTES: [f32; 4] = [196.0, 220.0, 233.08, 261.63];
/// Loudest sample, 1 being full scale.
const PEAK: f32 = 0.8;
/// Echo: its delay in seconds, and how much of the sound comes back.
const ECHO_SECONDS: f32 = 0.29;
const ECHO_LEVEL: f32 = 0.28;
/// Half-life of a bell, in seconds.
const BELL_HALF_LIFE: f32 = 0.18;
/// Fades of the whole, in seconds; the second is at most a quarter of a short sound.
const FADE_IN_SECONDS: f32 = 0.02;
const FADE_OUT_SECONDS: f32 = 1.5;

/// Sings `text` for `seconds`, 1 to [`MAX_AUDIO_SECONDS`], as a WAV file: [`SAMPLE_RATE`], mono, 16 bit.
///
/// # Errors
/// [`GenerationError::DurationOutOfRange`] for other durations.
pub fn speak(text: &str, seconds: u32, seed: u64) -> Result<Vec<u8>, GenerationError> {
    if !(1..=MAX_AUDIO_SECONDS).contains(&seconds) {
        return Err(GenerationError::DurationOutOfRange { seconds, limit: MAX_AUDIO_SECONDS });
    }
    let mut dice = Dice::for_text(text, seed);
    let beats = syllables::read(text);
    let mut sound = vec![0.0; (seconds * SAMPLE_RATE) as usize];
    sing(&beats, &mut sound, &mut dice);
    add_echo(&mut sound);
    level(&mut sound);
    fade(&mut sound);
    encode(&sound)
}

/// Sings `beats` from the start to the end of `sound`, as often as they fit.
fn sing(beats: &[Beat], sound: &mut [f32], dice: &mut Dice) {
    let length = syllable_samples(beats, sound.len());
    let keynote = dice.pick(&KEYNOTES);
    let mut melody = Melody::new(dice.next());
    let mut voice = Voice::new(dice.branch());
    let mut at = 0;
    // Each beat takes at least one sample, so this ends.
    for beat in beats.iter().cycle() {
        let samples = ((length * lengths_of(*beat)) as usize).max(1);
        let end = (at + samples).min(sound.len());
        match beat {
            Beat::Sing(syllable) => {
                let hertz = pitch(keynote, melody.next(*syllable));
                voice.sing(note(*syllable, hertz), &mut sound[at..end]);
                if syllable.first {
                    add_bell(&mut sound[at..], hertz * 2.0);
                }
            }
            Beat::Rest(_) => {
                melody.rest(samples as f32 / length);
                voice.ring_out(&mut sound[at..end]);
            }
        }
        at = end;
        if at == sound.len() {
            return;
        }
    }
}

/// How long a beat lasts, in lengths of a syllable.
fn lengths_of(beat: Beat) -> f32 {
    match beat {
        Beat::Sing(syllable) if syllable.first => 1.15,
        Beat::Sing(_) => 0.9,
        Beat::Rest(lengths) => lengths,
    }
}

/// One syllable, and when it sounds, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spoken {
    /// When it begins.
    pub start: f32,
    /// When it ends.
    pub end: f32,
    /// Its vowel.
    pub vowel: Vowel,
    /// Whether it begins a word.
    pub stressed: bool,
}

/// When each syllable of `text` sounds in a sound of `seconds`: the rhythm of [`speak`].
pub fn timetable(text: &str, seconds: u32) -> Vec<Spoken> {
    let beats = syllables::read(text);
    let samples = (seconds * SAMPLE_RATE) as usize;
    let length = syllable_samples(&beats, samples) / SAMPLE_RATE as f32;
    let (mut at, mut spoken) = (0.0, Vec::new());
    // Each beat lasts a while, so this ends.
    for beat in beats.iter().cycle() {
        let end = at + (length * lengths_of(*beat)).max(0.001);
        if let Beat::Sing(syllable) = beat {
            spoken.push(Spoken { start: at, end, vowel: syllable.vowel, stressed: syllable.first });
        }
        at = end;
        if at >= seconds as f32 {
            break;
        }
    }
    spoken
}

/// The length of a syllable, in samples, with which `beats` just fill `samples`, within the bounds of
/// the two speakers.
fn syllable_samples(beats: &[Beat], samples: usize) -> f32 {
    let total: f32 = beats
        .iter()
        .map(|beat| match beat {
            Beat::Sing(_) => 1.0,
            Beat::Rest(lengths) => *lengths,
        })
        .sum();
    let rate = SAMPLE_RATE as f32;
    (samples as f32 / total.max(1.0)).clamp(SHORTEST_SYLLABLE * rate, LONGEST_SYLLABLE * rate)
}

fn note(syllable: Syllable, hertz: f32) -> Note {
    Note { hertz, vowel: syllable.vowel, onset: syllable.onset, loudness: if syllable.first { 1.0 } else { 0.75 } }
}

/// Walks up and down the scale in small steps, led by the letters.
struct Melody {
    tune: u64,
    step: i32,
}

impl Melody {
    fn new(tune: u64) -> Melody {
        Melody { tune, step: MELODY_STEPS / 2 }
    }

    fn next(&mut self, syllable: Syllable) -> i32 {
        let turn = mix(self.tune ^ u64::from(syllable.letters)) % 5;
        // Mostly neighbours, now and then a leap: that is what makes a tune singable.
        let stride: i32 = match turn {
            0 => -2,
            1 => -1,
            2 => 1,
            3 => 2,
            _ => 0,
        };
        let leap = if syllable.first { stride } else { stride.signum() };
        self.step += leap;
        // Turning back at the edges keeps the walk inside the range without sticking to them.
        if !(0..MELODY_STEPS).contains(&self.step) {
            self.step -= 2 * leap;
        }
        self.tune = mix(self.tune);
        self.step
    }

    /// A long rest brings the tune home, halfway to the keynote.
    fn rest(&mut self, lengths: f32) {
        if lengths > 1.5 {
            self.step /= 2;
        }
    }
}

/// Frequency of a step of the scale above `keynote`, in hertz.
fn pitch(keynote: f32, step: i32) -> f32 {
    let octave = step.div_euclid(SCALE.len() as i32);
    let half_tones = SCALE[step.rem_euclid(SCALE.len() as i32) as usize] + 12 * octave;
    keynote * (half_tones as f32 / 12.0).exp2()
}

/// Adds a soft bell that rings on beneath what follows.
fn add_bell(sound: &mut [f32], hertz: f32) {
    let rate = SAMPLE_RATE as f32;
    // Ten half-lives bring it to a thousandth, beneath hearing.
    let samples = (BELL_HALF_LIFE * 10.0 * rate) as usize;
    let fade_per_sample = 0.5_f32.powf(1.0 / (BELL_HALF_LIFE * rate));
    let mut level = 0.10;
    for (index, sample) in sound.iter_mut().take(samples).enumerate() {
        let turn = TAU * hertz * index as f32 / rate;
        *sample += level * (turn.sin() + 0.2 * (turn * 2.0).sin());
        level *= fade_per_sample;
    }
}

fn add_echo(sound: &mut [f32]) {
    let delay = (ECHO_SECONDS * SAMPLE_RATE as f32) as usize;
    for index in delay..sound.len() {
        sound[index] += ECHO_LEVEL * sound[index - delay];
    }
}

/// Brings the loudest sample to [`PEAK`].
fn level(sound: &mut [f32]) {
    let loudest = sound.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    if loudest > 0.0 {
        for sample in sound {
            *sample *= PEAK / loudest;
        }
    }
}

fn fade(sound: &mut [f32]) {
    let (rate, length) = (SAMPLE_RATE as f32, sound.len());
    let fade_out = FADE_OUT_SECONDS.min(length as f32 / rate / 4.0);
    for (index, sample) in sound.iter_mut().enumerate() {
        let (since, left) = (index as f32 / rate, (length - 1 - index) as f32 / rate);
        *sample *= smooth(since / FADE_IN_SECONDS) * smooth(left / fade_out);
    }
}

fn encode(sound: &[f32]) -> Result<Vec<u8>, GenerationError> {
    let mut file = Cursor::new(Vec::with_capacity(44 + 2 * sound.len()));
    write_wav(sound, &mut file)
        .map_err(|cause| GenerationError::Encoding { format: "WAV", source: Box::new(cause) })?;
    Ok(file.into_inner())
}

fn write_wav(sound: &[f32], file: &mut Cursor<Vec<u8>>) -> Result<(), hound::Error> {
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(file, format)?;
    for sample in sound {
        writer.write_sample((sample * f32::from(i16::MAX)) as i16)?;
    }
    writer.finalize()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn samples(text: &str, seconds: u32) -> Vec<i16> {
        let file = speak(text, seconds, 5).expect("a valid duration");
        let reader = hound::WavReader::new(Cursor::new(file)).expect("a WAV file");
        let format = reader.spec();
        assert_eq!((format.channels, format.sample_rate), (1, SAMPLE_RATE));
        assert_eq!(format.bits_per_sample, 16);
        reader.into_samples().map(|sample| sample.expect("a sample")).collect()
    }

    fn rms(part: &[i16]) -> f64 {
        let sum: f64 = part.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (sum / part.len() as f64).sqrt()
    }

    #[test]
    fn the_file_lasts_exactly_as_long_as_asked() {
        for seconds in [1, 3, 20] {
            assert_eq!(samples("good evening", seconds).len() as u32, seconds * SAMPLE_RATE);
        }
    }

    #[test]
    fn durations_out_of_range_are_refused() {
        for seconds in [0, MAX_AUDIO_SECONDS + 1, u32::MAX] {
            let refused = speak("hello", seconds, 0);
            assert!(matches!(refused, Err(GenerationError::DurationOutOfRange { .. })));
        }
    }

    #[test]
    fn the_same_text_sounds_the_same_and_another_text_or_seed_does_not() {
        let sound = speak("the cat sat", 2, 1).ok();
        assert!(sound.is_some());
        assert_eq!(sound, speak("the cat sat", 2, 1).ok());
        assert_ne!(sound, speak("the dog ran", 2, 1).ok());
        assert_ne!(sound, speak("the cat sat", 2, 2).ok());
    }

    #[test]
    fn it_is_neither_silent_nor_clipped() {
        for text in ["hello, small world. how are you?", "", "🙂", "日本語のテキスト", "zzz"] {
            let sound = samples(text, 4);
            let peak = sound.iter().map(|sample| sample.unsigned_abs()).max();
            assert!(peak.is_some_and(|peak| (20_000..=26_300).contains(&peak)), "{text} {peak:?}");
            assert!(rms(&sound) > 1_000.0, "{text}");
        }
    }

    #[test]
    fn it_begins_and_ends_in_silence_without_a_click() {
        let sound = samples("one two three four five", 3);
        assert_eq!((sound.first(), sound.last()), (Some(&0), Some(&0)));
        let end = sound.len();
        assert!(rms(&sound[end - 1_000..]) < 0.1 * rms(&sound));
    }

    #[test]
    fn a_full_stop_is_heard_as_a_pause() {
        let quietest = |text: &str| {
            let sound = samples(text, 6);
            let parts = sound[..sound.len() - 40_000].chunks(2_205);
            parts.map(rms).fold(f64::MAX, f64::min)
        };
        let flowing = quietest("alawanala malawala nalamawala lawanamala alawa");
        assert!(quietest("ala. wanala. mala. wala. nala. mawala.") < 0.7 * flowing);
    }

    #[test]
    fn nasty_texts_are_sung_like_any_other() {
        for text in ["a".repeat(10_000), "🙂 ".repeat(10_000), ". ".repeat(10_000), "\0\n\t".to_owned()] {
            assert_eq!(samples(&text, 2).len() as u32, 2 * SAMPLE_RATE);
        }
    }
}
