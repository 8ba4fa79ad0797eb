import { expect, test } from "vitest";
import { parseConfig } from "../../src/model/config/parse-config.ts";
import { familyOf } from "../../src/model/families/index.ts";
import { ggufStorage } from "../../src/model/gguf/names.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { countParameters } from "../../src/model/spec/parameters.ts";
import { headTensor } from "../../src/model/spec/tensor-names.ts";
import { storedTensors } from "../../src/model/storage/stored-tensors.ts";
import { compError } from "../helpers/errors.ts";
import { countingTensors, type MemoryTensor, memoryCheckpoint } from "./memory-checkpoint.ts";

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

const config = {
  model_type: "llama",
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  vocab_size: 10,
  tie_word_embeddings: true,
};
const GEMMA = { ...config, model_type: "gemma3_text", head_dim: 4, num_key_value_heads: 1 };
const { tie_word_embeddings: _, ...silentGemma } = GEMMA;

type Tensors = Record<string, MemoryTensor>;

/** The tensors of a tied model, in a folder. */
const tied = (fields: object): Tensors => {
  const spec = parseConfig({ ...fields, tie_word_embeddings: true } as Record<string, unknown>);
  return countingTensors(
    Object.fromEntries(storedTensors(spec, familyOf(fields as never).storage).map(({ name, shape }) => [name, shape])),
  );
};

const changed = ({ shape, data }: MemoryTensor): MemoryTensor => ({
  shape,
  data: data.map((value, i) => (i === data.length - 1 ? value + 1 : value)),
});

const open = (tensors: Tensors, fields: object = config): Promise<Model> =>
  openModel(memoryCheckpoint(tensors, { config: fields }));

test.each<[string, object]>([
  ["where config.json says tied", config],
  ["where the family's default says tied", silentGemma],
])("a head that differs from the embedding is kept, %s", async (_, fields) => {
  const tensors = tied(fields);
  const model = await open({ ...tensors, [HEAD]: changed(tensors[EMBEDDING]!) }, fields);
  expect(model.spec.tiedEmbeddings).toBe(false);
  expect(model.config).toEqual({ ...fields, tie_word_embeddings: false });
  expect(headTensor(model.spec).name).toBe(HEAD);
  expect(await model.read(HEAD)).toEqual(changed(tensors[EMBEDDING]!).data);
  expect(countParameters(model.spec).parts.head).toBe(80);
});

test("a head equal to the embedding is the embedding", async () => {
  const tensors = tied(config);
  const model = await open({ ...tensors, [HEAD]: tensors[EMBEDDING]! });
  expect(model.spec.tiedEmbeddings).toBe(true);
  expect(model.config).toEqual(config);
  expect([model.tensors.has(HEAD), countParameters(model.spec).parts.head]).toEqual([false, 0]);
});

test("equal matrices stay two where config.json says untied", async () => {
  const tensors = tied(config);
  const untied = { ...config, tie_word_embeddings: false };
  const model = await open({ ...tensors, [HEAD]: tensors[EMBEDDING]! }, untied);
  expect([model.spec.tiedEmbeddings, model.tensors.has(HEAD)]).toEqual([false, true]);
});

test("a tied model that stores the head alone has its embedding there", async () => {
  const { [EMBEDDING]: embedding, ...others } = tied(config);
  const model = await open({ ...others, [HEAD]: embedding! });
  expect(model.spec.tiedEmbeddings).toBe(true);
  expect(await model.readRows(EMBEDDING, 2, 4)).toEqual(embedding!.data.slice(16, 32));
  expect(model.tensors.get(EMBEDDING)!.shape).toEqual([10, 8]);
});

test("names without the prefix, beside a head of its own or without an embedding", async () => {
  const bare = (tensors: Tensors): Tensors =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name.replace(/^model\./, ""), tensor]));
  const { [EMBEDDING]: embedding, ...others } = tied(config);
  const both = await open({ ...bare({ ...others, [EMBEDDING]: embedding! }), [HEAD]: changed(embedding!) });
  expect(both.spec.tiedEmbeddings).toBe(false);
  const alone = await open({ ...bare(others), [HEAD]: embedding! });
  expect(await alone.read(EMBEDDING)).toEqual(embedding!.data);
});

test("a head of another size is refused, not ignored", async () => {
  const tensors = { ...tied(config), ...countingTensors({ [HEAD]: [12, 8] }) };
  expect((await compError(open(tensors))).message).toBe("lm_head.weight is [12, 8], config.json says vocab_size 10");
});

test("without the tied flag neither matrix stands for the other", async () => {
  const untied = { ...config, tie_word_embeddings: false };
  const { [EMBEDDING]: embedding, ...others } = tied(config);
  const headless = await compError(open({ ...others, [EMBEDDING]: embedding! }, untied));
  expect(headless.message).toBe(
    'folder lacks tensor "lm_head.weight", and config.json does not say that it is tied to the embedding',
  );
  expect((await compError(open({ ...others, [HEAD]: embedding! }, untied))).message).toContain(
    `lacks tensor "${EMBEDDING}"`,
  );
});

test("a GGUF file has a head of its own exactly when it stores one, and needs its embedding, as llama.cpp does", async () => {
  const metadata = {
    "general.architecture": "llama",
    "llama.embedding_length": 8,
    "llama.block_count": 2,
    "llama.feed_forward_length": 12,
    "llama.attention.head_count": 2,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.context_length": 64,
  };
  const shapes = storedTensors(parseConfig(config), ggufStorage({ interleavedRotary: false })).map(
    ({ name, shape }) => [name, shape] as const,
  );
  const { "token_embd.weight": embedding, ...others } = countingTensors(Object.fromEntries(shapes));
  const file = (tensors: Tensors) => openModel(memoryCheckpoint({ ...others, ...tensors }, { metadata }));
  expect((await file({ "token_embd.weight": embedding! })).spec.tiedEmbeddings).toBe(true);
  const own = await file({ "token_embd.weight": embedding!, "output.weight": changed(embedding!) });
  expect(own.config.tie_word_embeddings).toBe(false);
  expect(await own.read(HEAD)).toEqual(changed(embedding!).data);
  expect((await compError(file({ "output.weight": embedding! }))).message).toContain(
    'lacks tensor "token_embd.weight"',
  );
});
