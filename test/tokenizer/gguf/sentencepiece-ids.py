"""Token ids as SentencePiece has them: python sentencepiece-ids.py tokenizer.model < texts.json > ids.json"""

import json
import sys

import sentencepiece

processor = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])
json.dump([processor.encode(text) for text in json.load(sys.stdin)], sys.stdout)
