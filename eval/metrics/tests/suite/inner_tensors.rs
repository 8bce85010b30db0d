//! Features of tensors inside a network.

use elbow_base::Silent;
use elbow_metrics::{CANONICAL_WEIGHTS, Convention, FeatureNetwork, Layer, Pool, Runtime};

use crate::networks::{Assorted, seeded, skeleton};
use crate::noise;

#[test]
fn spatial_features_are_seven_channels_of_a_tensor_inside() {
    let set = Assorted(vec![noise(1, [64, 64]), noise(2, [299, 299])]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("inception.onnx");
    std::fs::write(&path, skeleton().with_weights(seeded(), CANONICAL_WEIGHTS).expect("every tensor"))
        .expect("writable");
    let of = |layer: Layer| -> FeatureNetwork {
        FeatureNetwork::load_layer(&path, Convention::Tf, Runtime::Embedded, layer).expect("a network")
    };
    let spatial = of(Layer::sfid());
    // The weights are seeded, and called canonical for the name alone.
    assert_eq!((spatial.metric_name(), spatial.label()), ("sfid.tf".to_owned(), "inception.sfid.tf".to_owned()));
    let lite = spatial.with_convention(Convention::Lite);
    assert_eq!(lite.metric_name(), "fd.inception.sfid.lite", "no tool's convention");
    let found = spatial.features(&set, &Silent).expect("runs");
    assert_eq!((found.dimension, found.len()), (7 * 17 * 17, 2));
    // The whole tensor pooled: the first channel's mean is that of its positions.
    let pooled = of(Layer { pool: Some(Pool::Mean), ..Layer::sfid() }).features(&set, &Silent).expect("runs");
    assert_eq!(pooled.dimension, 192);
    for (whole, means) in found.rows().zip(pooled.rows()) {
        for (channel, mean) in whole.chunks(17 * 17).zip(means) {
            let ours = channel.iter().map(|v| f64::from(*v)).sum::<f64>() / 289.0;
            assert!((ours - f64::from(*mean)).abs() < 1e-5, "{ours} {mean}");
        }
    }
    // The same features are given beside the tensor inside, and logits.
    assert!(spatial.has_logits());
    let missing = FeatureNetwork::load_layer(
        &path,
        Convention::Tf,
        Runtime::Embedded,
        Layer { output: Some("nowhere".into()), pool: None },
    );
    assert!(missing.err().expect("refused").to_string().contains("nowhere"));
}
