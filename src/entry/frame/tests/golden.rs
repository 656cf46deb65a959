//! Frames in files, written once by the first program of each version and never again. Each stands
//! beside a file that says under which key and ring it is read, and what it must say.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/frames/v1")
}

fn golden(name: &str) -> Bytes {
    fs::read(folder().join(name).with_extension("frame")).unwrap().into()
}

#[test]
fn every_golden_frame_says_what_it_said() {
    let mut names: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "frame"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["bare", "large", "packed", "packed-sealed", "plain", "sealed"]);
    for name in names {
        let beside = fs::read(folder().join(&name).with_extension("json")).unwrap();
        let said: Value = serde_json::from_slice(&beside).unwrap();
        let text = |part: &Value| part.as_str().unwrap().to_owned();
        let key = Key::new(&text(&said["key"]), &text(&said["site"]), &text(&said["caller"]));
        let skew = Skew::from_millis(said["skew"].as_i64().unwrap());
        let ring = said["ring"].as_str().map(ring);
        let frame = golden(&name);
        let shapes = Shapes::default();
        let opened = decode(&key, &frame, skew, ring.as_ref(), Tick(0), &shapes).unwrap();
        assert_eq!(describe(&opened), said["says"], "{name}");
    }
}

/// What packs and seals may write other bytes one day; the rest may not.
#[test]
fn the_same_entries_are_the_same_bytes() {
    assert_eq!(golden("plain"), plain(&full("{\"id\":7}")));
    assert_eq!(golden("bare"), plain(&bare()));
}

#[test]
fn golden_frames_are_what_their_names_say() {
    let flags = |name: &str| golden(name)[5] & 3;
    let all = ["bare", "plain", "packed", "large", "sealed", "packed-sealed"].map(flags);
    assert_eq!(all, [0, 0, 1, 1, 2, 3]);
}
