import { expect, test } from "vitest";
import { gemma3 } from "../../../src/model/families/gemma3.ts";
import { llama } from "../../../src/model/families/llama.ts";
import { resized } from "../../../src/model/spec/parts.ts";
import { wholeClass } from "../../../src/model/write/base-class.ts";
import { perLayerFields, renderModelingFile } from "../../../src/model/write/modeling-file.ts";
import { tinySpec } from "../../helpers/specs.ts";

test("a modelling file takes the stock class of the family from its module", () => {
  expect(renderModelingFile(llama, tinySpec("llama"))).toContain(
    "from transformers.models.llama.modeling_llama import LlamaForCausalLM\n",
  );
  expect(renderModelingFile(gemma3, tinySpec("gemma3"))).toContain(
    "from transformers.models.gemma3.modeling_gemma3 import Gemma3ForCausalLM\n",
  );
});

test("a modelling file for a text part takes the class around it, and asks for its renaming of tensors", () => {
  const base = wholeClass({ model_type: "gemma3", architectures: ["Gemma3ForConditionalGeneration"] }, gemma3);
  const file = renderModelingFile(gemma3, tinySpec("gemma3"), base);
  for (const line of [
    "from transformers import Gemma3ForConditionalGeneration\n",
    "class CompGemma3ForConditionalGeneration(Gemma3ForConditionalGeneration):\n",
    "        config, layers = (text := self.get_decoder()).config, text.layers\n",
    '(name) for name in ["Gemma3ForConditionalGeneration", "gemma3"]]\n',
  ])
    expect(file).toContain(line);
});

test("an absent part loses the norms that the family has around it", () => {
  expect(renderModelingFile(llama, tinySpec("llama"))).toContain(
    'norms = ["input_layernorm"] * (heads == 0) + ["post_attention_layernorm"] * (width == 0)\n',
  );
  expect(renderModelingFile(gemma3, tinySpec("gemma3"))).toContain(
    'norms = ["input_layernorm", "post_attention_layernorm"] * (heads == 0) + ["pre_feedforward_layernorm", "post_feedforward_layernorm"] * (width == 0)\n',
  );
});

test("config.json lists all sizes and names the class", () => {
  const layer = tinySpec("llama").layers[0]!;
  const layers = [
    resized(layer, { intermediateSize: 8, numAttentionHeads: 2, numKeyValueHeads: 1 }),
    resized(layer, { intermediateSize: 24, numAttentionHeads: 0, numKeyValueHeads: 0 }),
  ];
  expect(perLayerFields(llama, layers)).toEqual({
    intermediate_size: 24,
    intermediate_sizes: [8, 24],
    attention_heads: [2, 0],
    key_value_heads: [1, 0],
    architectures: ["CompForCausalLM"],
    auto_map: { AutoModelForCausalLM: "modeling_comp.CompForCausalLM" },
  });
});
