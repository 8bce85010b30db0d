//! The bundled presets.

/// Name and text of each.
pub const PRESETS: [(&str, &str); 21] = [
    ("any-order-digits", include_str!("../../presets/any-order-digits.toml")),
    ("ar-digits", include_str!("../../presets/ar-digits.toml")),
    ("ar-shakespeare", include_str!("../../presets/ar-shakespeare.toml")),
    ("ar-text8", include_str!("../../presets/ar-text8.toml")),
    ("d3pm-absorbing-digits", include_str!("../../presets/d3pm-absorbing-digits.toml")),
    ("d3pm-uniform-digits", include_str!("../../presets/d3pm-uniform-digits.toml")),
    ("edm-digits", include_str!("../../presets/edm-digits.toml")),
    ("flow-digits", include_str!("../../presets/flow-digits.toml")),
    ("genmd4-digits", include_str!("../../presets/genmd4-digits.toml")),
    ("genmd4-text8", include_str!("../../presets/genmd4-text8.toml")),
    ("maskgit-digits", include_str!("../../presets/maskgit-digits.toml")),
    ("md4-cifar10", include_str!("../../presets/md4-cifar10.toml")),
    ("md4-digits", include_str!("../../presets/md4-digits.toml")),
    ("md4-fashion-mnist", include_str!("../../presets/md4-fashion-mnist.toml")),
    ("md4-imagenet64", include_str!("../../presets/md4-imagenet64.toml")),
    ("md4-shakespeare", include_str!("../../presets/md4-shakespeare.toml")),
    ("md4-text8", include_str!("../../presets/md4-text8.toml")),
    ("mdlm-digits", include_str!("../../presets/mdlm-digits.toml")),
    ("mdlm-owt", include_str!("../../presets/mdlm-owt.toml")),
    ("mdlm-text8", include_str!("../../presets/mdlm-text8.toml")),
    ("vdm-digits", include_str!("../../presets/vdm-digits.toml")),
];
