"""Token ids as transformers has them: python transformers-ids.py MODEL_FOLDER < texts.json > ids.json"""

import json
import sys

from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
texts = json.load(sys.stdin)
json.dump([tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts], sys.stdout)
