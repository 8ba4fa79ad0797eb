// A GGUF file with the exact shapes of some layers of Qwen3-30B-A3B in Q4_K and random weights, for time and memory, not for quality;
// the tokenizer is the bundled model's.

import { parseConfig } from "../dist/model/config/parse-config.js";
import { modelTensors } from "../dist/model/spec/tensor-names.js";
import { writeGgufModel } from "../dist/model/write/gguf-writer.js";
import { ggufTypes } from "../dist/model/write/tensor-types.js";
import { openPath } from "../dist/node/open-path.js";
import { stageFile } from "../dist/node/output-folder.js";

const CONFIG = {
  model_type: "qwen3_moe",
  hidden_size: 2048,
  intermediate_size: 6144,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  head_dim: 128,
  num_experts: 128,
  num_experts_per_tok: 8,
  moe_intermediate_size: 768,
  norm_topk_prob: true,
  max_position_embeddings: 40_960,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  tie_word_embeddings: true,
};

/** Layers of the whole model. */
export const LAYERS = 48;

const TOKENIZER_FOLDER = "models/demo";
const ROWS_AT_ONCE = 2 ** 14;

/** Writes the file of a model that has only so many layers. */
export async function writeExpertsCheckpoint(path, layers) {
  const tokenizer = await openPath(TOKENIZER_FOLDER);
  const { vocab_size } = JSON.parse(await tokenizer.readText("config.json"));
  const spec = parseConfig({ ...CONFIG, vocab_size, num_hidden_layers: layers });
  const output = await stageFile(path, { overwrite: true });
  const types = ggufTypes({ spec }, [], "q4_k_s", false);
  const writer = await writeGgufModel(output, { checkpoint: tokenizer, spec }, spec, types, new Map());
  for (const { name, shape } of modelTensors(spec)) await fill(writer, name, shape);
  await writer.finish();
  await output.commit();
  await tokenizer.close();
}

/** Norms are ones; the router, which is not quantized, is normal; all else are random blocks. */
async function fill(writer, name, shape) {
  const { dtype, rowSize } = writer.rowForm(name);
  for (let row = 0; row < shape[0]; row += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, shape[0] - row);
    if (dtype === "F32") await writer.writeRows(name, row, floats(count * rowSize, shape.length === 1));
    else await writer.writeRowBytes(name, row, blocks(dtype, (count * rowSize) / 256));
  }
}

const floats = (count, isNorm) =>
  Float32Array.from({ length: count }, () => (isNorm ? 1 : 0.04 * (next() / 2 ** 31 - 1)));

/** Bytes of a block of 256, and where its scale and its minimum are: f16 numbers that make its values as large as usual weights. */
const FORMS = {
  Q4_K: { size: 144, scale: [0, 2.0e-4], minimum: [2, 1.4e-3] },
  Q5_K: { size: 176, scale: [0, 1.0e-4], minimum: [2, 1.4e-3] },
  Q6_K: { size: 210, scale: [208, 3.0e-5] },
};

function blocks(dtype, count) {
  const { size, scale, minimum } = FORMS[dtype];
  const words = Uint32Array.from({ length: (count * size) / 2 }, next);
  const bytes = new Uint8Array(Uint16Array.from(words).buffer);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < count; block++)
    for (const [at, value] of [scale, minimum].filter(Boolean)) view.setUint16(block * size + at, f16(value), true);
  return bytes;
}

/** Of a number between 2⁻²⁴ and 2⁻⁴. */
function f16(value) {
  const exponent = Math.max(-14, Math.floor(Math.log2(value)));
  const isSmall = value < 2 ** -14;
  return isSmall
    ? Math.round(value * 2 ** 24)
    : ((exponent + 15) << 10) | Math.round((value / 2 ** exponent - 1) * 1024);
}

let state = 1;

/** Marsaglia's xorshift32. */
function next() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}
