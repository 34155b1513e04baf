//! The corpus of the fuzz targets and what they have found (`fuzz/corpus`), without a fuzzer.

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a library there, a module here")]
mod targets;

use std::path::Path;

#[test]
fn the_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let mut files = 0;
        for entry in std::fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            // Shown when the target panics.
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
            files += 1;
        }
        assert!(files > 0, "no corpus for {name}");
    }
}
