//! No code. Cargo builds a dependency anew for every different set of features, and without this crate
//! `cargo test -p rolecall-lake` would ask for fewer features than `cargo test --workspace`: a second
//! DataFusion, ten minutes. `rolecall-lake` depends on this, and with it everything above.
