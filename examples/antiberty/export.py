"""Export AntiBERTy, a masked language model of antibody sequences, from its wheel to ONNX.

    pip install --no-deps antiberty==0.1.3          (MIT; 26 million parameters, the weights are in the wheel)
    pip install torch transformers onnx onnxscript
    python export.py [FOLDER]                       writes antiberty.onnx and vocab.txt, beside this file or there

The network is exported with free axes for sequences and residues. It takes no attention mask: elbow calls sequences of one
length together, so that there is no padding.
"""
import importlib.util
import pathlib
import sys

import torch
from transformers import BertConfig, BertForMaskedLM

HERE = pathlib.Path(__file__).resolve().parent


class Logits(torch.nn.Module):
    """Token ids [batch, length] to the logits of the 25 ids [batch, length, 25]."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids):
        # The mask of ones, which the network would make itself, keeps data-dependent branches out of the export.
        return self.model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits


def load():
    """The network with the weights of the wheel, and its vocabulary. The wheel's own class is of an older transformers;
    its body and its head of tokens are BERT's."""
    spec = importlib.util.find_spec("antiberty")
    if spec is None:
        sys.exit("the wheel is missing: pip install --no-deps antiberty==0.1.3")
    trained = pathlib.Path(spec.origin).parent / "trained_models"
    checkpoint = trained / "AntiBERTy_md_smooth"
    model = BertForMaskedLM(BertConfig.from_json_file(checkpoint / "config.json"))
    state = torch.load(checkpoint / "pytorch_model.bin", map_location="cpu", weights_only=True)
    other = ("cls.species.", "cls.chain.", "cls.graft.", "bert.pooler.", "bert.embeddings.position_ids")
    state = {name: value for name, value in state.items() if not name.startswith(other)}
    model.load_state_dict(state, strict=True)
    return model.eval(), trained / "vocab.txt"


def main(folder):
    model, vocabulary = load()
    target = folder / "antiberty.onnx"
    axes = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("length", min=3, max=512)}
    program = torch.onnx.export(Logits(model).eval(), (torch.randint(5, 25, (2, 32)),), input_names=["input_ids"],
                                output_names=["logits"], dynamic_shapes=(axes,), dynamo=True, external_data=False)
    program.save(str(target))
    (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{target}: {target.stat().st_size / 1e6:.0f} MB, {parameters:,} parameters")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
