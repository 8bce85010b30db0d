//! Settings: read from presets and files, changed, refused, written to the byte.

use std::fs;

use elbow_base::nearest;
use elbow_impls::hash::sha256;
use elbow_impls::md4::Md4;
use elbow_impls::sampler::Sampler;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::train::{NetworkConfig, ObjectiveConfig, PRESETS, Settings};
use elbow_impls::{Error, Weighting};

use crate::resolve;

/// SHA-256 of each preset's settings as they are written. A run's folder is named by a hash of these bytes: where they
/// change, trained runs are not found again.
const WRITTEN: [(&str, &str); 32] = [
    ("any-order-digits", "b4f32613e921de6d36d20e6480f32d404120c5153fa308ee8ee20980cf29b81d"),
    ("ar-digits", "1ee62947170a6dbb38063a666b1345fed82a92583969e9810721687f4bfc02d6"),
    ("ar-shakespeare", "61dd0d8a3eaad1a24349ce9651bba30e39e896af85dec6baf3443dc345114857"),
    ("ar-text8", "ae80865e2eb278adb62b86f7e0536216824296e6454039df431be8a6189ea653"),
    ("block-shakespeare", "afd59f20afbb731960226a826bdbdfbd079fbad1139ae1f9e1463a1a0d44cf9e"),
    ("block-text8", "57fd0a890d9a7bb9d8e976182614576db9e8b23736c30ed359a01a914c4a6641"),
    ("d3pm-absorbing-digits", "0b5562cb663e630e6f7ba376b8ab964cfbd9726625f199ec99d2f7cef1a2049b"),
    ("d3pm-absorbing-shakespeare", "6ff5db7837886f049b9bf4886b004c3b2730bf788d4816303743e9e32fd1f2fc"),
    ("d3pm-uniform-digits", "f5dc01d3718c3f30570ea42b8424429d27b7cfd2e461a408c368f15396196660"),
    ("d3pm-uniform-shakespeare", "c26993d281517b97182c0275cc98116df8d831b8016fc4c71116902d878c1b75"),
    ("edm-digits", "5a3a5b7150ad39b35e3ca9c333a7dcfdcf6a3876fe14d83cc4fcd15cd6c65a08"),
    ("edm-fashion-mnist", "59cb8af50cc3ede79feb83e41fdd94de46ad3a833810c94bb112657b0042d55c"),
    ("flow-digits", "47461117005f77ae1a270c844a17c3ceef16a7a3c66640fefe8a93087d2bc101"),
    ("flow-fashion-mnist", "6421d11bb69e39ad12ed6367dc460e3c4df0ac479e7fa43eca60b7e076fdbddf"),
    ("genmd4-digits", "39998805e88212b7b4aa7f6150ab2a7a63022fbe915300156c2c579cb7ebdb79"),
    ("genmd4-shakespeare", "b193e987a1b428e9cbca4d9bce11b41db28c334d9b0644046f64d1571463961d"),
    ("genmd4-text8", "54062cd855cecb2f11700bc1de60f9b9b9e7e2a1597e9a1c948a60e0fe0d5114"),
    ("maskgit-digits", "dbb88eb115dace491954676676a491885d58f78b646afbb80d4e28fd4cd2bbc3"),
    ("md4-cifar10", "149143d9f1445a83754765916bfd8d60b08027439d678a9701d179fbc0f9fe08"),
    ("md4-digits", "f8b7c0fed4d866d5864d97d455b7485fe5c0d35bebf9162735d138f97b3ee20b"),
    ("md4-fashion-mnist", "ff1df8b128c6172ee7672a21761f0083c534aee4a23da1c5ae8c60a033131646"),
    ("md4-imagenet64", "cef6950aac51487c73b7fc01abce69295005951c57561c9d97890c9dabd4256a"),
    ("md4-imagenet64-324m", "883259614ee22a91c8a4f5ac7bd8d62e91b1aa78b8c7485a101b0e31417be2fb"),
    ("md4-shakespeare", "d648f4cf6a660163046c6b991ac932c5d35867fff3276c3a291c06365f598a7f"),
    ("md4-text8", "baecab7d31c8eb75158249e55fdcbe6568ffbf2b58786993ed9991f200750954"),
    ("mdlm-digits", "40840c771e531b088ffae462a3d1ab4f44dacad8574a1cdb5e93bee0d16e6d08"),
    ("mdlm-owt", "344c34c113c66c00f4e9fe34f022deaa6f8d16162e7fa552074410e729281841"),
    ("mdlm-shakespeare", "d49a8f59898c68fe5ee3bc827df338dc4c4b1ab4b397130c1f0a4bb4b07f46f2"),
    ("mdlm-text8", "2056f468d1ffc83f9ab7f3b2e72557d51589ec8baef59bf2afa755eae08ff4c6"),
    ("vdm-cifar10", "918c1067e7203a37612419e88dd28059ec8a6b42b1a655497ab0a1a723cd869a"),
    ("vdm-digits", "167305de8c1be4fe200baa785bba7045cc62c4b430d68ba6a84bea35bf67f2df"),
    ("vdm-fashion-mnist", "d4eabb291bbd06d94a12a4c50fc09737de1a4fd80839cde14c1b81c42e976150"),
];

#[test]
fn presets_are_written_to_the_byte() {
    let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, WRITTEN.map(|(name, _)| name));
    for (name, hash) in WRITTEN {
        let text = resolve(name, &[]).expect("a bundled preset").to_toml();
        assert_eq!(sha256(text.as_bytes()), hash, "{name}:\n{text}");
    }
    let other = resolve("md4-digits", &["seed=1"]).expect("a seed").to_toml();
    assert_ne!(sha256(other.as_bytes()), WRITTEN[19].1, "witness: a seed makes a difference");
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    for (name, _) in PRESETS.iter() {
        let settings = resolve(name, &[]).expect("a bundled preset");
        fs::write(&path, settings.to_toml()).expect("written");
        let again = Settings::load(&path).expect("settings");
        assert_eq!((&again, again.to_toml()), (&settings, settings.to_toml()), "{name}");
        let by_path = resolve(path.to_str().expect("UTF-8"), &["seed=7"]).expect("a preset by path");
        assert_eq!(by_path, settings.with(&["seed=7".to_owned()]).expect("a seed"), "{name}");
        assert!(by_path.seed == 7 && by_path != settings, "{name}, witness: the seed is another");
    }
    // Names stay as they were written.
    let named = resolve("vdm-digits", &["schedule=vdm"]).expect("VDM's schedule").to_toml();
    assert!(named.contains("schedule = \"vdm\"\n"), "{named}");
}

#[test]
fn changes_are_taken() {
    let changed = resolve("md4-digits", &["weighting=sigmoid:2", "timesteps=8", "time_sampling=rotated", "dropout=0"]);
    let changed = changed.expect("settings of md4");
    let md4 = Md4 { steps: Some(8), ..Md4::new(MaskedSchedule::Linear, Weighting::Sigmoid(2.0)) };
    assert_eq!(changed.objective, ObjectiveConfig::Md4(md4));
    assert_eq!((changed.time_sampling, changed.dropout), (TimeSampling::Rotated, 0.0));
    assert_eq!(resolve("md4-digits", &["timesteps=0"]).expect("md4").objective, {
        ObjectiveConfig::Md4(Md4::new(MaskedSchedule::Linear, Weighting::Simple))
    });
    // Numbers are written as what they are, however they were given.
    let given = resolve("md4-digits", &["weight_decay=none", "weight_decay=0"]).expect("md4").to_toml();
    assert!(given.contains("weight_decay = 0.0\n"), "{given}");
    let bare = resolve("md4-digits", &["patch_size=none"]).expect("pixels");
    assert!(matches!(bare.network, NetworkConfig::Transformer { patch_size: None, hidden: 128, .. }));
}

#[test]
fn every_implementation_has_samplers_of_its_own() {
    let own: Vec<(&str, Sampler, usize)> = PRESETS
        .iter()
        .filter(|(name, _)| name.ends_with("-digits"))
        .map(|(name, _)| resolve(name, &[]).expect("a bundled preset").objective.clone())
        .map(|objective| (objective.name(), objective.samplers()[0], objective.samplers().len()))
        .collect();
    let expected = [
        ("any-order", Sampler::OneByOne, 7),
        ("ar", Sampler::LeftToRight, 1),
        ("d3pm-absorbing", Sampler::D3pm, 1),
        ("d3pm-uniform", Sampler::D3pm, 1),
        ("edm", Sampler::Heun, 3),
        ("flow", Sampler::Ddim, 3),
        ("genmd4", Sampler::Vector, 1),
        ("maskgit", Sampler::Confidence, 7),
        ("md4", Sampler::Ancestral, 7),
        ("mdlm", Sampler::Cached, 7),
        ("vdm", Sampler::Ancestral, 3),
    ];
    assert_eq!(own, expected);
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    for (preset, change, kind, near) in [
        ("md4-digits", "widht=3", "setting", "width"),
        ("md4-digits", "implementation=md5", "implementation", "md4"),
        ("md4-digits", "network=unt", "network", "unet"),
        ("md4-digits", "schedule=cosin", "schedule", "cosine"),
        ("md4-digits", "weighting=ebo", "weighting", "elbo"),
        ("md4-digits", "time_sampling=rotate", "time sampling", "rotated"),
        ("md4-digits", "decay=cosin", "decay", "cosine"),
        ("md4-digits", "positions=rotray", "positions", "rotary"),
        ("md4-digits", "perceptron=gul", "perceptron", "glu"),
        ("mdlm-digits", "protocol=exac", "protocol", "exact"),
        ("maskgit-digits", "mask_rates=cosin", "mask rates", "cosine"),
        ("maskgit-digits", "normaliser=globl", "normaliser", "global"),
        ("d3pm-uniform-digits", "kernel=mixtur", "kernel", "mixture"),
        ("any-order-digits", "form=k-dc", "form", "k-dce"),
        ("vdm-digits", "prediction=ep", "prediction", "eps"),
        ("md4-digit", "steps=1", "preset", "md4-digits"),
    ] {
        match resolve(preset, &[change]) {
            Err(Error::UnknownName(unknown)) => {
                assert_eq!(unknown.kind, kind, "{change}");
                assert_eq!(nearest(&unknown.name, &unknown.known).map(String::as_str), Some(near), "{change}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
    // Known, but not of VDM.
    let velocity = resolve("vdm-digits", &["prediction=velocity"]);
    assert!(matches!(velocity, Err(Error::UnknownName(unknown)) if unknown.known == ["eps", "x", "v"]));
}

#[test]
fn settings_that_fit_nothing_are_refused() {
    for (preset, changes, what) in [
        ("md4-digits", &["width"][..], "write key=value"),
        ("md4-digits", &["steps=many"], "--set steps=many: expected a whole number, such as 4000"),
        ("md4-digits", &["steps=-1"], "steps = -1: expected a whole number, 1 or more"),
        ("md4-digits", &["embedding=wide"], "embedding = \"wide\": expected a whole number"),
        ("md4-digits", &["width=none"], "width is missing"),
        ("md4-digits", &["schedule=none"], "schedule is missing: implementation md4 needs it"),
        ("md4-digits", &["heads=none"], "heads is missing: network transformer needs it"),
        ("md4-digits", &["time_sampling=none"], "time_sampling is missing: implementation md4 needs it"),
        ("ar-digits", &["time_sampling=rotated"], "time_sampling has no meaning for implementation ar"),
        (
            "md4-digits",
            &["normaliser=global"],
            "normaliser has no meaning for implementation md4: take it out, or --set",
        ),
        ("md4-digits", &["patches=[8, 2, 1]"], "patches has no meaning for network transformer"),
        ("md4-digits", &["implementation=genmd4"], "schedule has no meaning for implementation genmd4"),
        ("md4-digits", &["batch_size=0"], "batch_size is 0"),
        ("md4-digits", &["width=65540"], "width = 65540: it must be at most 65536"),
        ("md4-digits", &["beta_1=1.0"], "beta_1 = 1: it must lie in [0, 1)"),
        ("md4-digits", &["ema_decay=nan"], "ema_decay = NaN"),
        ("md4-digits", &["learning_rate=-1"], "learning_rate = -1: it must be finite and not negative"),
        ("md4-digits", &["clip_norm=inf"], "clip_norm = inf"),
        ("maskgit-digits", &["label_smoothing=1"], "label_smoothing = 1"),
        ("d3pm-absorbing-digits", &["hybrid=-0.5"], "hybrid = -0.5"),
        ("d3pm-absorbing-digits", &["timesteps=0"], "discrete time"),
        ("d3pm-uniform-digits", &["timesteps=0"], "no finite bound in continuous time"),
        ("d3pm-uniform-digits", &["schedule=geometric"], "has noise at t = 0"),
        ("d3pm-uniform-digits", &["time_conditioning=false"], "the posterior of d3pm-uniform depends on the time"),
        ("d3pm-uniform-digits", &["class_conditioning=true", "label_dropout=0.1"], "has no classes"),
        ("md4-digits", &["timesteps=8", "weighting=fm"], "infinite at t = 1"),
        ("md4-digits", &["width=97"], "width 97 is not a multiple of heads 4"),
        ("md4-digits", &["hidden=0"], "hidden is 0"),
        ("md4-digits", &["positions=rotary", "width=36"], "rotary positions need an even width"),
        ("md4-digits", &["fourier=[2, 3]"], "fourier belongs to Gaussian diffusion"),
        ("md4-digits", &["time_conditioning=true"], "condition_width is missing"),
        ("md4-digits", &["time_conditioning=true", "condition_width=65538"], "not from 4 to 65536"),
        ("md4-digits", &["label_dropout=0.1"], "label_dropout belongs to class_conditioning"),
        ("ar-digits", &["patch_size=2"], "ar reads one token after the other"),
        ("ar-digits", &["time_conditioning=true", "condition_width=8"], "it is causal and has no time"),
        ("block-shakespeare", &["time_conditioning=true", "condition_width=8"], "a time of its own"),
        ("block-shakespeare", &["mask_rates=clipped-weighted:0.3:0.8"], "use weighting = \"elbo\""),
        ("block-shakespeare", &["mask_rates=clipped:0.3:0.8", "timesteps=8", "weighting=elbo"], "timesteps = 0"),
        ("block-shakespeare", &["time_law=middle-heavy"], "time_law has no meaning for implementation block"),
        ("ar-digits", &["time_law=middle-heavy"], "time_law has no meaning for implementation ar"),
        ("vdm-digits", &["time_law=uniform"], "time_law has no meaning for implementation vdm"),
        ("block-shakespeare", &["block_size=0"], "block_size is 0"),
        ("mdlm-text8", &["class_conditioning=true"], "the dit has no classes"),
        ("md4-cifar10", &["resolutions=0"], "resolutions is 0"),
        ("md4-imagenet64", &["patches=[10, 3, 1]"], "patches: width 10 is not a multiple of heads 3"),
        ("vdm-cifar10", &["width=7"], "the time's sinusoid needs an even width"),
        ("vdm-digits", &["fourier=[3, 1]"], "fourier = [3, 1]"),
        ("vdm-digits", &["schedule=cosine"], "no ends"),
        ("vdm-digits", &["noise_levels=cosine:-8:4"], "other ends"),
        ("vdm-digits", &["noise_levels=cosine:-8:5", "timesteps=8"], "only in continuous time"),
        ("vdm-digits", &["schedule=learned:-8:5", "weighting=fm"], "learned ends are trained by the bound itself"),
        ("edm-digits", &["sigma_data=0.5"], "use weighting = \"edm:0.5\""),
        ("edm-digits", &["sigma_data=0.0"], "a standard deviation is positive"),
    ] {
        match resolve(preset, changes) {
            Err(Error::Setting(message)) => assert!(message.contains(what), "{changes:?}: {message}"),
            other => panic!("{changes:?}: {other:?}"),
        }
    }
}

#[test]
fn files_are_refused_with_their_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    assert!(matches!(Settings::load(&path), Err(Error::Io { .. })), "there is no file yet");
    let name = path.to_str().expect("UTF-8");
    assert!(matches!(resolve(name, &[]), Err(Error::Io { .. })));
    let good = resolve("md4-digits", &[]).expect("a bundled preset").to_toml();
    for (text, what) in [
        (good.replace("width", "widht"), "did you mean width?"),
        (good.replace("hidden = 128", "hidden = \"wide\""), "hidden = \"wide\": expected a whole number"),
        (good.replace("width = 32\n", ""), "width is missing"),
        (good.replace("width = 32", "width ="), ""),
    ] {
        fs::write(&path, text).expect("written");
        match Settings::load(&path) {
            Err(Error::Format { path: found, message }) => {
                assert!(found == path && message.contains(what), "{message}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert!(matches!(resolve(name, &[]), Err(Error::Setting(message)) if message.contains(name)), "no TOML at all");
}

/// A run that goes on must not go on under another schedule.
#[test]
fn a_table_is_kept_with_the_hash_of_its_content() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("alpha.csv");
    std::fs::write(&path, "t,alpha\n0,1\n0.3,0.6\n1,0\n").expect("writable");
    let settings = resolve("md4-digits", &[&format!("schedule=table:{}", path.display())]).expect("a schedule");
    let config = folder.path().join("config.toml");
    std::fs::write(&config, settings.to_toml()).expect("writable");
    assert!(settings.to_toml().contains("alpha.csv#"), "{}", settings.to_toml());
    assert_eq!(Settings::load(&config).expect("the same table"), settings);
    std::fs::write(&path, "t,alpha\n0,1\n0.3,0.5\n1,0\n").expect("writable");
    let error = Settings::load(&config).expect_err("another table").to_string();
    assert!(error.contains("the table has changed"), "{error}");
}
