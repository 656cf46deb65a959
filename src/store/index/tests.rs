use proptest::prelude::*;

use super::*;
use crate::entry::samples;

fn slot(text: &str, tags: &[&str], kind: &str, rule: &str) -> Slot<()> {
    let entry = samples::placed(text, tags, samples::place(kind, rule));
    Slot { key: Key::new(text, "", ""), bundle: Arc::new(Bundle::of(entry)), home: () }
}

fn walked(shard: &Shard<()>, walk: Walk<'_>) -> Vec<String> {
    let mut cursor = Cursor::default();
    let mut found = Vec::new();
    loop {
        let step = shard.step(walk, &mut cursor);
        if step.is_empty() {
            found.sort();
            return found;
        }
        found.extend(step.iter().map(|n| shard.slot(*n).unwrap().key.text().to_owned()));
    }
}

#[test]
fn walks_find_what_they_name_in_steps() {
    let mut shard = Shard::default();
    let count = 3 * STEP + 7;
    for i in 0..count {
        let tag = format!("t:{}", i % 3);
        assert!(shard.put(slot(&format!("k{i:04}"), &["all", &tag], "kind", "rule")).is_none());
    }
    for walk in [Walk::Tag("all"), Walk::Kind("kind"), Walk::Rule("rule"), Walk::Beginning("")] {
        assert_eq!(walked(&shard, walk).len(), count, "{walk:?}");
    }
    assert_eq!(walked(&shard, Walk::Beginning("k000")).len(), 10);
    assert_eq!(walked(&shard, Walk::Beginning("k9")).len(), 0);
    assert_eq!(walked(&shard, Walk::Tag("t:0")).len(), count.div_ceil(3));
    assert!(walked(&shard, Walk::Target("k0001")).is_empty());
    assert_eq!(shard.tags("t:", None).len(), 3);
    assert_eq!(shard.tags("t:", Some(&"t:1".into())).len(), 1);
}

#[test]
fn a_stored_again_key_keeps_its_slot_and_changes_its_labels() {
    let mut shard = Shard::default();
    shard.put(slot("a", &["old", "both"], "k", "r"));
    let number = shard.number(Key::new("a", "", "").identity());
    let old = shard.put(slot("a", &["new", "both"], "k", "r")).unwrap();
    assert_eq!(old.bundle.variants()[0].labels.tags.len(), 2);
    assert_eq!(shard.number(Key::new("a", "", "").identity()), number);
    assert!(walked(&shard, Walk::Tag("old")).is_empty());
    assert_eq!(walked(&shard, Walk::Tag("new")), ["a"]);
    assert_eq!(walked(&shard, Walk::Tag("both")), ["a"]);
}

#[test]
fn a_walk_survives_changes_between_its_steps() {
    let mut shard = Shard::default();
    for i in 0..2 * STEP {
        shard.put(slot(&format!("k{i:04}"), &["t"], "k", ""));
    }
    let mut cursor = Cursor::default();
    let first = shard.step(Walk::Tag("t"), &mut cursor);
    for number in first {
        shard.take(number);
    }
    // Stored again while the walk goes on: it must still be met.
    let last = format!("k{:04}", 2 * STEP - 1);
    shard.put(slot(&last, &["t"], "k", ""));
    let second = shard.step(Walk::Tag("t"), &mut cursor);
    assert_eq!(second.len(), STEP);
    assert!(second.iter().any(|n| shard.slot(*n).unwrap().key.text() == last));
}

proptest! {
    #[test]
    fn it_agrees_with_a_plain_list(
        acts in prop::collection::vec((0..24_u8, 0..5_u8, 0..3_u8, any::<bool>()), 1..200)
    ) {
        let mut shard = Shard::default();
        let mut plain: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (key, tag, kind, put) in acts {
            let (key, tag, kind) = (format!("k{key}"), format!("t{tag}"), format!("y{kind}"));
            let identity = Key::new(&key, "", "");
            if put {
                let old = shard.put(slot(&key, &[&tag], &kind, ""));
                prop_assert_eq!(old.is_some(), plain.insert(key, (tag, kind)).is_some());
            } else {
                let number = shard.number(identity.identity());
                let old = number.and_then(|number| shard.take(number));
                prop_assert_eq!(old.is_some(), plain.remove(&key).is_some());
            }
        }
        for i in 0..5 {
            let tag = format!("t{i}");
            let want: Vec<_> =
                plain.iter().filter(|(_, v)| v.0 == tag).map(|(k, _)| k.clone()).collect();
            prop_assert_eq!(walked(&shard, Walk::Tag(&tag)), want);
        }
        let keys: Vec<_> = plain.keys().cloned().collect();
        prop_assert_eq!(walked(&shard, Walk::Beginning("")), keys);
        let mut labels: Vec<_> = plain.values().flat_map(|(t, k)| [t, k]).collect();
        labels.sort();
        labels.dedup();
        prop_assert_eq!(shard.label_count(), labels.len());
    }
}
