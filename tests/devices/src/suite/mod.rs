//! One file for each kind of computation, one test for each small model: a test makes all comparisons of its model, since they share
//! kernels that the device compiles once.

mod losses;
mod memory;
mod ode;
mod optimizer;
mod resuming;
mod samplers;
mod several;

use crate::cases::{Case, Ready};
use crate::compare::Findings;

/// Compares losses and bounds.
fn objective(case: &Case) -> (Ready, Findings) {
    let ready = case.train();
    let mut findings = Findings::of(case.name);
    losses::losses_of_sequences(&ready, &mut findings);
    losses::bounds_of_sequences(&ready, &mut findings);
    (ready, findings)
}

/// And a step of the optimiser.
fn step(case: &Case) -> (Ready, Findings) {
    let (ready, mut findings) = objective(case);
    optimizer::one_step(&ready, &mut findings);
    (ready, findings)
}

/// And samples and solutions.
fn model(case: &Case) -> (Ready, Findings) {
    let (ready, mut findings) = step(case);
    samplers::tokens_of_samplers(&ready, &mut findings);
    ode::code_lengths_under_the_ode(&ready, &mut findings);
    (ready, findings)
}

/// And what a run keeps, and how devices share its steps.
fn run(case: &Case) -> (Ready, Findings) {
    let (ready, mut findings) = model(case);
    resuming::a_resumed_run_is_the_uninterrupted_one(&ready);
    resuming::a_run_goes_on_on_another_device(&ready, &mut findings);
    several::devices_share_a_step(&ready, &mut findings);
    (ready, findings)
}

macro_rules! cases {
    ($($check:ident $name:ident: $preset:literal $(, $changes:literal)+;)*) => {
        $(#[test]
        fn $name() {
            let changes = concat!($($changes, " "),+).trim_ascii_end();
            $check(&Case { name: stringify!($name), preset: $preset, changes }).1.judge();
        })*
    };
}

// Every implementation on a transformer, and every network. The runs have what there is to keep: draws of dropout and labels, rates and
// schedules that are learnt.
cases! {
    model md4: "md4-digits", "width=16 heads=2 layers=1 hidden=32";
    run md4_conditional: "md4-digits", "width=16 heads=2 layers=1 hidden=32 perceptron=swiglu",
        "class_conditioning=true condition_width=16 label_dropout=0.1 dropout=0.1";
    step md4_unet: "md4-digits", "network=unet width=8 layers=1 heads=none hidden=none perceptron=none positions=none patch_size=none";
    objective md4_unet_patches: "md4-digits", "network=unet width=8 layers=1 heads=none hidden=none perceptron=none positions=none patch_size=none",
        "patches=[8,2,1]";
    run genmd4: "genmd4-digits", "width=16 heads=2 layers=1 hidden=32";
    model maskgit: "maskgit-digits", "width=16 heads=2 layers=1 hidden=32";
    model block: "block-shakespeare", "width=16 heads=2 layers=1 hidden=32 sequence_length=32";
    model mdlm: "mdlm-shakespeare", "width=16 heads=2 layers=1 hidden=32 perceptron=glu sequence_length=32";
    model mdlm_dit: "mdlm-digits", "network=dit width=16 heads=2 layers=1 condition_width=16",
        "hidden=none perceptron=none positions=none patch_size=none";
    model d3pm_absorbing: "d3pm-absorbing-digits", "width=16 heads=2 layers=1 hidden=32";
    model d3pm_uniform: "d3pm-uniform-digits", "width=16 heads=2 layers=1 hidden=32";
    model any_order: "any-order-digits", "width=16 heads=2 layers=1 hidden=32";
    model ar: "ar-digits", "width=16 heads=2 layers=1 hidden=32";
    model vdm: "vdm-digits", "width=16 heads=2 layers=1 hidden=32";
    run vdm_learned_schedule: "vdm-digits", "width=16 heads=2 layers=1 hidden=32 schedule=learned:-8:5";
    objective vdm_unet: "vdm-digits", "network=unet width=8 layers=1 heads=none hidden=none perceptron=none positions=none patch_size=none",
        "resolutions=2";
    model flow: "flow-digits", "width=16 heads=2 layers=1 hidden=32";
    model edm: "edm-digits", "width=16 heads=2 layers=1 hidden=32";
}
