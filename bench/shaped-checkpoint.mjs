// A checkpoint with the exact shapes of a real model and random weights, for time and memory, not for quality: a Llama in one file of
// f16, with the tokenizer of the bundled model.
import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { encodeF16 } from "../dist/checkpoint/float16.js";

/** By what `--shape` names: TinyLlama-1.1B and Llama-2-7B. */
export const SHAPES = {
  "1b": { hidden: 2048, intermediate: 5632, layers: 22, heads: 32, keyValueHeads: 4, vocabulary: 32000 },
  "7b": { hidden: 4096, intermediate: 11008, layers: 32, heads: 32, keyValueHeads: 32, vocabulary: 32000 },
};

const TOKENIZER_FOLDER = "models/demo";
const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"];

const DEVIATION = 0.02;
const CHUNK = 2 ** 22;

/** Writes the folder of a model of a shape that has only so many layers. */
export function writeShapedCheckpoint(folder, shape, layers) {
  mkdirSync(folder, { recursive: true });
  for (const file of TOKENIZER_FILES) copyFileSync(join(TOKENIZER_FOLDER, file), join(folder, file));
  writeFileSync(join(folder, "config.json"), JSON.stringify(configOf(shape, layers), undefined, 2));
  writeTensors(join(folder, "model.safetensors"), tensorsOf(shape, layers));
}

const configOf = (shape, layers) => ({
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: shape.hidden,
  intermediate_size: shape.intermediate,
  num_hidden_layers: layers,
  num_attention_heads: shape.heads,
  num_key_value_heads: shape.keyValueHeads,
  vocab_size: shape.vocabulary,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  max_position_embeddings: 4096,
  tie_word_embeddings: false,
  torch_dtype: "float16",
  bos_token_id: 0,
  eos_token_id: 0,
});

/** Names and shapes in the order of the file. */
function tensorsOf({ hidden, intermediate, heads, keyValueHeads, vocabulary }, layers) {
  const keys = (hidden / heads) * keyValueHeads;
  const layer = {
    "input_layernorm.weight": [hidden],
    "self_attn.q_proj.weight": [hidden, hidden],
    "self_attn.k_proj.weight": [keys, hidden],
    "self_attn.v_proj.weight": [keys, hidden],
    "self_attn.o_proj.weight": [hidden, hidden],
    "post_attention_layernorm.weight": [hidden],
    "mlp.gate_proj.weight": [intermediate, hidden],
    "mlp.up_proj.weight": [intermediate, hidden],
    "mlp.down_proj.weight": [hidden, intermediate],
  };
  const decoder = Array.from({ length: layers }, (_, i) =>
    Object.entries(layer).map(([name, dimensions]) => [`model.layers.${i}.${name}`, dimensions]),
  );
  return [
    ["model.embed_tokens.weight", [vocabulary, hidden]],
    ...decoder.flat(),
    ["model.norm.weight", [hidden]],
    ["lm_head.weight", [vocabulary, hidden]],
  ];
}

function writeTensors(path, tensors) {
  let end = 0;
  const entries = tensors.map(([name, shape]) => {
    const start = end;
    end += 2 * elements(shape);
    return [name, { dtype: "F16", shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, "w");
  writeSync(file, size);
  writeSync(file, header);
  for (const [, shape] of tensors) writeValues(file, shape);
  closeSync(file);
}

const elements = (shape) => shape.reduce((product, size) => product * size, 1);

/** Norms are ones; all else is normal. */
function writeValues(file, shape) {
  const count = elements(shape);
  const chunk = new Uint16Array(Math.min(CHUNK, count));
  for (let done = 0; done < count; done += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, count - done));
    if (shape.length === 1) part.fill(ONE);
    else fillNormal(part);
    writeSync(file, part);
  }
}

const toF16 = (values) => new Uint16Array(encodeF16(Float32Array.from(values)).buffer);

const [ONE] = toF16([1]);

/** Normal values, one for each number of 16 bits: a draw is then a look into a table. */
const NORMAL = toF16(
  Array.from(
    { length: 2 ** 16 },
    (_, i) => DEVIATION * Math.sqrt(-2 * Math.log((i + 0.5) / 2 ** 16)) * Math.cos(2 * Math.PI * ((i * 0.618034) % 1)),
  ),
);

let state = 1;

/** Two values from each number of Marsaglia's xorshift32. */
function fillNormal(values) {
  for (let i = 0; i < values.length; i += 2) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = NORMAL[state & 0xffff];
    values[i + 1] = NORMAL[state >>> 16];
  }
}
