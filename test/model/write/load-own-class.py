"""Loads folders by the class in their modelling file, and prints of each the class, tensors that do not fit, and logits.

    python load-own-class.py FOLDER... < [[id, ...], ...]
"""
import json, sys, torch
from transformers import AutoModelForCausalLM, logging

logging.set_verbosity_error()
found = []
for folder, ids in zip(sys.argv[1:], json.load(sys.stdin)):
    model, info = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32, output_loading_info=True)
    wrong = [name for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in sorted(info[kind])]
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.tensor([ids])).logits[0].tolist()
    found.append({"name": type(model).__name__, "wrong": wrong, "logits": logits})
print(json.dumps(found))
