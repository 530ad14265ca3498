//! Has plugins examined, and prints what that took: a process of its own, because what its children use is all that is measured of them.

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", weir_tests::hostile::examiner(&args));
}
