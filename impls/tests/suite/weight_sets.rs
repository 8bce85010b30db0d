//! Which weights of a file are imported: averaged or raw ones, under any prefix, in any precision.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use elbow_impls::network::{Dit, DitImport, Input, Model, WeightKind, WeightSet, ids_tensor};
use safetensors::{Dtype, SafeTensors};

use crate::fixture;

/// Name, shape and values of the tensors of `fixtures/networks/dit.safetensors`, parameters in PyTorch's order.
type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

fn published() -> Tensors {
    let bytes = fs::read(fixture("networks/dit.safetensors")).expect("the fixture");
    let file = SafeTensors::deserialize(&bytes).expect("valid");
    let number = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
    let values = |data: &[u8]| data.as_chunks().0.iter().map(number).collect();
    let mut tensors: BTreeMap<String, _> =
        file.tensors().into_iter().map(|(name, view)| (name, (view.shape().to_vec(), values(view.data())))).collect();
    let block = |n: usize| {
        let dense = |name: &str| [format!("{name}.weight"), format!("{name}.bias")];
        let one = |name: &str| [format!("{name}.weight")];
        let names =
            [&one("norm1")[..], &one("attn_qkv"), &one("attn_out"), &one("norm2"), &dense("mlp.0"), &dense("mlp.2")];
        let names = names.concat().into_iter().chain(dense("adaLN_modulation"));
        names.map(move |name| format!("blocks.{n}.{name}")).collect::<Vec<_>>()
    };
    let first = ["vocab_embed.embedding", "sigma_map.mlp.0.weight", "sigma_map.mlp.0.bias", "sigma_map.mlp.2.weight"];
    let last =
        ["norm_final.weight", "linear.weight", "linear.bias", "adaLN_modulation.weight", "adaLN_modulation.bias"];
    let order =
        first.map(String::from).into_iter().chain(["sigma_map.mlp.2.bias".into(), "rotary_emb.inv_freq".into()]);
    let order = order.chain(block(0)).chain(block(1)).chain(last.map(|name| format!("output_layer.{name}")));
    let tensors: Tensors = order
        .map(|name| format!("backbone.{name}"))
        .map(|name| tensors.remove(&name).map(|(shape, values)| (name, shape, values)).expect("in the fixture"))
        .collect();
    assert_eq!(tensors.len(), file.len());
    tensors
}

fn is_buffer(name: &str) -> bool {
    name.ends_with("inv_freq")
}

/// The tensors with other names and values; those without a name are left out.
fn changed(tensors: &Tensors, name: impl Fn(&str) -> Option<String>, value: impl Fn(f32) -> f32) -> Tensors {
    let one = |(old, shape, values): &(String, Vec<usize>, Vec<f32>)| {
        let values = values.iter().map(|&x| if is_buffer(old) { x } else { value(x) }).collect();
        Some((name(old)?, shape.clone(), values))
    };
    tensors.iter().filter_map(one).collect()
}

fn named(prefix: &str) -> impl Fn(&str) -> Option<String> {
    move |name| Some(format!("{prefix}{name}"))
}

/// Writes a safetensors file of this precision.
fn safetensors_file(path: &Path, tensors: &Tensors, dtype: Dtype) {
    let bytes = |x: f32| match dtype {
        Dtype::F64 => f64::from(x).to_le_bytes().to_vec(),
        Dtype::F32 => x.to_le_bytes().to_vec(),
        Dtype::BF16 => x.to_le_bytes()[2..].to_vec(),
        other => panic!("{other:?}"),
    };
    let data: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|&x| bytes(x)).collect()).collect();
    let views: Vec<_> = (tensors.iter().zip(&data))
        .map(|((name, shape, _), data)| {
            (name, safetensors::tensor::TensorView::new(dtype, shape.clone(), data).expect("a view"))
        })
        .collect();
    fs::write(path, safetensors::serialize(views, None).expect("serialises")).expect("written");
}

/// Part of what `torch.save` writes.
enum Saved {
    Dict(Vec<(&'static str, Saved)>),
    /// Tensors by name.
    Named(Tensors),
    /// Tensors in a list.
    List(Tensors),
    Number(i32),
}

/// Writes a file as `torch.save` does: a pickle and the bytes of the tensors in a zip archive.
fn torch_file(path: &Path, root: &Saved) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).expect("a file"));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let (mut pickle, mut blobs) = (b"\x80\x02".to_vec(), Vec::new());
    emit(root, &mut pickle, &mut blobs);
    pickle.push(b'.');
    let mut entry = |name: &str, bytes: &[u8]| {
        zip.start_file(format!("archive/{name}"), stored).expect("an entry");
        zip.write_all(bytes).expect("written");
    };
    entry("data.pkl", &pickle);
    entry("version", b"3\n");
    for (number, blob) in blobs.iter().enumerate() {
        entry(&format!("data/{number}"), blob);
    }
    zip.finish().expect("an archive");
}

fn emit(saved: &Saved, to: &mut Vec<u8>, blobs: &mut Vec<Vec<u8>>) {
    match saved {
        Saved::Number(number) => emit_number(*number, to),
        Saved::Dict(entries) => {
            to.extend(b"}(");
            for (name, value) in entries {
                emit_text(name, to);
                emit(value, to, blobs);
            }
            to.push(b'u');
        }
        Saved::Named(tensors) => {
            to.extend(b"}(");
            for (name, shape, values) in tensors {
                emit_text(name, to);
                emit_tensor(shape, values, to, blobs);
            }
            to.push(b'u');
        }
        Saved::List(tensors) => {
            to.extend(b"](");
            for (_, shape, values) in tensors {
                emit_tensor(shape, values, to, blobs);
            }
            to.push(b'e');
        }
    }
}

fn emit_number(number: i32, to: &mut Vec<u8>) {
    to.push(b'J');
    to.extend(number.to_le_bytes());
}

fn emit_text(text: &str, to: &mut Vec<u8>) {
    to.push(b'X');
    to.extend((text.len() as u32).to_le_bytes());
    to.extend(text.as_bytes());
}

fn emit_tensor(shape: &[usize], values: &[f32], to: &mut Vec<u8>, blobs: &mut Vec<Vec<u8>>) {
    to.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    emit_text("storage", to);
    to.extend(b"ctorch\nFloatStorage\n");
    emit_text(&blobs.len().to_string(), to);
    emit_text("cpu", to);
    emit_number(values.len() as i32, to);
    to.extend(b"tQ");
    emit_number(0, to);
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    for numbers in [shape.to_vec(), (0..shape.len()).map(stride).collect()] {
        to.push(b'(');
        numbers.into_iter().for_each(|number| emit_number(number as i32, to));
        to.push(b't');
    }
    to.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    blobs.push(values.iter().flat_map(|x| x.to_le_bytes()).collect());
}

/// The logits of some tokens, and which weights they are of.
fn import(path: &Path, raw: bool) -> Result<(Vec<f64>, WeightSet), String> {
    import_with_heads(path, raw, None)
}

fn import_with_heads(path: &Path, raw: bool, heads: Option<usize>) -> Result<(Vec<f64>, WeightSet), String> {
    let device = Device::flex();
    let about = DitImport { length: 12, time: false, heads, raw };
    let (network, set) = Dit::import(path, &about, &device).map_err(|e| e.to_string())?;
    let model = Model::from(network);
    let input = Input::new(ids_tensor(&[0, 3, 10, 9, 10, 1, 2, 7, 10, 4, 5, 6], 12, &device), &[0.5]);
    Ok((model.tokens().expect("tokens").logits(&input).into_data().iter::<f64>().collect(), set))
}

fn unchanged() -> Vec<f64> {
    import(&fixture("networks/dit.safetensors"), false).expect("the fixture").0
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn averaged_weights_are_taken_wherever_they_are() {
    let (folder, tensors) = (Folder::new(), published());
    let half = changed(&tensors, named(""), |x| x / 2.0);
    safetensors_file(&folder.file("half.safetensors"), &half, Dtype::F32);
    let averaged = import(&folder.file("half.safetensors"), false).expect("weights").0;
    let raw = unchanged();
    assert_ne!(averaged, raw, "witness: the two sets are told apart");
    let error = import(&folder.file("half.safetensors"), true).expect_err("an option without effect");
    assert!(error.contains("leave --raw out"), "{error}");

    // Lightning's checkpoint with torch_ema's list, in the order of the parameters and without buffers.
    let list: Tensors = half.iter().filter(|(name, ..)| !is_buffer(name)).cloned().collect();
    let lightning = |list: Tensors| {
        let ema = vec![("decay", Saved::Number(1)), ("shadow_params", Saved::List(list))];
        let optimizer = Saved::Named(vec![("exp_avg".into(), vec![2], vec![f32::NAN; 2])]);
        let rest = vec![("optimizer_states", optimizer), ("global_step", Saved::Number(5))];
        let main = vec![("state_dict", Saved::Named(tensors.clone())), ("ema", Saved::Dict(ema))];
        Saved::Dict(main.into_iter().chain(rest).collect())
    };
    // A dictionary of names beside the raw weights, in one file or one level deeper.
    let (model, ema) = (Saved::Named(tensors.clone()), Saved::Named(half.clone()));
    torch_file(&folder.file("lightning.ckpt"), &lightning(list.clone()));
    torch_file(&folder.file("ema.pt"), &Saved::Dict(vec![("model", model), ("model_ema", ema)]));
    let flat = [changed(&half, named("ema."), |x| x), tensors.clone()].concat();
    safetensors_file(&folder.file("flat.safetensors"), &flat, Dtype::F32);
    for (name, place) in [
        ("lightning.ckpt", "ema.shadow_params."),
        ("ema.pt", "model_ema.backbone."),
        ("flat.safetensors", "ema.backbone."),
    ] {
        let (found, set) = import(&folder.file(name), false).expect(name);
        assert_eq!((set.kind, set.place.as_str(), found == averaged), (WeightKind::Averaged, place, true), "{name}");
        let (found, set) = import(&folder.file(name), true).expect(name);
        assert_eq!((set.kind, found == raw), (WeightKind::Raw, true), "{name}, raw: {set}");
    }
    // A list of other sizes, or of another number of tensors, is not guessed.
    let refused = |list: Tensors, what: &str| {
        torch_file(&folder.file("other.ckpt"), &lightning(list));
        let error = import(&folder.file("other.ckpt"), false).expect_err("another list");
        assert!(error.contains(what), "{error}");
        assert!(import(&folder.file("other.ckpt"), true).is_ok(), "the raw ones are whole");
    };
    refused(list[1..].to_vec(), "29 tensors under ema.shadow_params., but 30 parameters");
    let mut swapped = list.clone();
    swapped.swap(1, 2);
    refused(swapped, "ema.shadow_params.1, the average of sigma_map.mlp.0.weight, has shape [16]");
    // Averaged weights in a layout of their own are named.
    let stranger = [tensors.clone(), vec![("model_ema.backboneblocks0".into(), vec![2], vec![0.0; 2])]].concat();
    safetensors_file(&folder.file("stranger.safetensors"), &stranger, Dtype::F32);
    let error = import(&folder.file("stranger.safetensors"), false).expect_err("unknown");
    assert!(error.contains("model_ema.backboneblocks0") && error.contains("--raw"), "{error}");
    assert!(import(&folder.file("stranger.safetensors"), true).is_ok());
}

#[test]
fn prefixes_precisions_and_buffers_make_no_difference() {
    let (folder, tensors, expected) = (Folder::new(), published(), unchanged());
    let path = folder.file("changed.safetensors");
    let bare = |name: &str| name.trim_start_matches("backbone.").to_owned();
    for prefix in ["", "backbone.", "module.backbone.", "model.backbone.", "backbone._orig_mod.", "_orig_mod."] {
        safetensors_file(&path, &changed(&tensors, |name| Some(format!("{prefix}{}", bare(name))), |x| x), Dtype::F32);
        let (found, set) = import(&path, false).expect(prefix);
        assert_eq!((set.kind, set.place.as_str(), found == expected), (WeightKind::Unmarked, prefix, true), "{prefix}");
    }
    safetensors_file(&path, &tensors, Dtype::F64);
    assert!(import(&path, false).expect("double precision").0 == expected);
    safetensors_file(&path, &tensors, Dtype::BF16);
    let half = import(&path, false).expect("bfloat16").0;
    let error = half.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error > 0.0 && error < 0.5, "{error}");
    // Without the frequencies the heads must be told.
    let without = changed(&tensors, |name| (!is_buffer(name)).then(|| name.to_owned()), |x| x);
    safetensors_file(&path, &without, Dtype::F32);
    assert!(import_with_heads(&path, false, Some(4)).expect("four heads").0 == expected);
    assert!(import_with_heads(&path, false, Some(2)).expect("witness").0 != expected, "the heads make a difference");
    for heads in [None, Some(12), Some(0)] {
        let error = import_with_heads(&path, false, heads).expect_err("no such heads");
        assert!(error.contains("rotary frequencies") && error.contains("heads"), "{error}");
    }
}

#[test]
fn files_that_are_not_weights_of_the_network_say_what_they_have() {
    let (folder, tensors) = (Folder::new(), published());
    let path = folder.file("changed.safetensors");
    let refused = |tensors: &Tensors, words: &[&str]| {
        safetensors_file(&path, tensors, Dtype::F32);
        let error = import(&path, false).expect_err("not the network's");
        assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{error}");
    };
    let nan = changed(&tensors, named(""), |_| f32::NAN);
    refused(&nan, &["backbone.", "not finite"]);
    refused(&changed(&tensors, named(""), |x| x / 0.0), &["not finite"]);
    let other = changed(&tensors, |name| Some(name.replace("vocab_embed", "wte")), |x| x);
    refused(&other, &["no tensor vocab_embed.embedding", "backbone.blocks.0.", "found", "more"]);
    let twins = [tensors.clone(), changed(&tensors, named("teacher."), |x| x)].concat();
    refused(&twins, &["several sets", "teacher.backbone."]);
    let mut wide = tensors.clone();
    let layer = wide.iter_mut().find(|(name, ..)| name.ends_with("blocks.1.attn_out.weight")).expect("a layer");
    *layer = (layer.0.clone(), vec![16, 64], layer.2.clone());
    refused(&wide, &["backbone.blocks.1.attn_out.weight has shape [16, 64] where [32, 32] was expected"]);
    let mut warped = tensors.clone();
    warped.iter_mut().filter(|(name, ..)| is_buffer(name)).for_each(|(.., rates)| rates[1] *= 1.1);
    refused(&warped, &["rotary frequencies are not 10000"]);
}
