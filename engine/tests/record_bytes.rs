//! The engine's records against themselves and against broken bytes.

use codegen::proof;

#[test]
fn every_record_survives_reading_and_writing_in_every_version() {
    let catalog = engine::records::CATALOGS.concat();
    for sample in proof::samples(&catalog, 3, 10).unwrap() {
        let written = (sample.entry.recode)(&sample.bytes, sample.version, sample.version);
        assert_eq!(written, Ok(sample.bytes), "{} {}", sample.entry.name, sample.version);
    }
}

#[test]
fn every_prefix_of_a_record_is_refused() {
    proof::refuse_prefixes(&engine::records::CATALOGS.concat(), 4, 4);
}

#[test]
fn a_mutated_record_never_panics_and_reads_back_if_it_is_accepted() {
    proof::survive_mutations(&engine::records::CATALOGS.concat(), 5, 200);
}
