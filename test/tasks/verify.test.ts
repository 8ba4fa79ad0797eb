// The proof of a checkpoint: what passes, and for each check a model that is broken in just that way.
import { copyFileSync, cpSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { CompError } from "../../src/errors.ts";
import type { Check, Verification, VerifyEvent } from "../../src/events/model.ts";
import { bundledText, nodeBackend } from "../../src/node/host.ts";
import { openPath } from "../../src/node/open-path.ts";
import { verifyCheckpoint } from "../../src/node/verify.ts";
import { type VerifyRequest, verifyModel } from "../../src/tasks/verify.ts";
import { copyToGguf } from "../helpers/copy-to-gguf.ts";
import { afterKey, edit, editJson, offsetField, placeOf } from "../helpers/damage.ts";
import { compError } from "../helpers/errors.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";
import { withModel } from "../helpers/written.ts";

const shared = sharedFolder();
const folder = shortDemo(shared, 2);
const file = join(shared, "demo.gguf");
beforeAll(() => withModel(folder, (model) => copyToGguf(model, file, "f16")));

interface Outcome {
  /** Names of the checks that passed. */
  readonly passed: readonly string[];
  readonly warnings: readonly string[];
  readonly result?: Verification;
  readonly error?: CompError;
}

async function verify(model: string): Promise<Outcome> {
  const [passed, warnings]: [string[], string[]] = [[], []];
  let last: VerifyEvent | undefined;
  const run = async (): Promise<void> => {
    for await (const event of verifyCheckpoint({ model, threads: 1 })) {
      if (event.type === "check") passed.push(event.name);
      if (event.type === "warning") warnings.push(event.message);
      last = event;
    }
  };
  const ended = run();
  const error = await ended.then(
    () => undefined,
    () => compError(ended),
  );
  return { passed, warnings, ...(error && { error }), ...(last?.type === "done" && { result: last.result }) };
}

const ALL = ["files", "tensors", "values", "tokenizer", "forward", "llama.cpp"];
const checkOf = <N extends Check["name"]>({ checks }: Verification, name: N): Extract<Check, { name: N }> =>
  checks.find((check) => check.name === name) as Extract<Check, { name: N }>;

describe("a whole model passes", () => {
  test("as a folder, which llama.cpp is not asked about", async () => {
    const { passed, result } = await verify(folder);
    expect(passed).toEqual(ALL);
    expect(result).toMatchObject({ model: folder, format: "safetensors", family: "llama" });
    const { values, parameters } = { ...checkOf(result!, "values"), ...checkOf(result!, "tensors") };
    expect(values).toBe(parameters); // its head is its embedding
    expect(checkOf(result!, "llama.cpp")).toMatchObject({ loaded: false, reason: expect.stringContaining("a folder") });
  });

  test("of which config.json states another type, with a warning", async () => {
    const copy = copyFolder();
    inConfig(copy, { dtype: "bfloat16" });
    const { passed, warnings } = await verify(copy);
    expect(passed).toEqual(ALL);
    expect(warnings).toEqual(["config.json says that the weights are bfloat16; most of them are float16"]);
  });

  test("as shards with their index", async () => {
    expect((await verify(sharded())).passed).toEqual(ALL);
  });

  test("as a GGUF file, and llama.cpp chooses the same tokens", async () => {
    const { passed, result } = await verify(file);
    expect(passed).toEqual(ALL);
    const { firstTokens } = checkOf(result!, "forward");
    expect(firstTokens).toHaveLength(4);
    expect(checkOf(result!, "llama.cpp")).toEqual({ name: "llama.cpp", loaded: true, firstTokens });
  });
});

const copyFolder = (): string => {
  const copy = join(temporaryFolder(), "model");
  cpSync(folder, copy, { recursive: true });
  return copy;
};

function copyFile(): string {
  const copy = join(temporaryFolder(), "x.gguf");
  copyFileSync(file, copy);
  return copy;
}

const SHARD = "model-00001-of-00001.safetensors";
const INDEX = "model.safetensors.index.json";

/** The folder with its weights in one shard, and the index to it. */
function sharded(): string {
  const copy = copyFolder();
  const path = join(copy, SHARD);
  renameSync(join(copy, "model.safetensors"), path);
  edit(path, (bytes) => {
    const { __metadata__, ...header } = headerOf(bytes);
    const names = Object.keys(header);
    const total_size = bytes.length - 8 - Number(bytes.readBigUInt64LE(0));
    const index = { metadata: { total_size }, weight_map: Object.fromEntries(names.map((name) => [name, SHARD])) };
    writeFileSync(join(copy, INDEX), JSON.stringify(index));
    return undefined;
  });
  return copy;
}

const headerOf = (bytes: Buffer): Record<string, unknown> =>
  JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString()) as Record<string, unknown>;

const inConfig = (copy: string, change: object): void =>
  editJson(join(copy, "config.json"), (config) => ({ ...config, ...change }));

const NORM = "model.layers.1.input_layernorm.weight";

describe("of a folder is named", () => {
  test.each<[what: string, passed: number, message: RegExp, (copy: string) => unknown]>([
    [
      "a file that is cut short",
      0,
      /model\.safetensors is cut short: its header describes \d+ bytes, the file has \d+/,
      (copy) => edit(join(copy, "model.safetensors"), (bytes) => bytes.subarray(0, -2)),
    ],
    [
      "a type that is none of weights",
      0,
      /tensor ".*" is of type I16, which is not supported/,
      (copy) =>
        edit(join(copy, "model.safetensors"), (bytes) => {
          bytes.write("I16", bytes.indexOf('"F16"') + 1);
          return bytes;
        }),
    ],
    [
      "a tensor that is missing",
      1,
      /lacks tensor "model\.layers\.2\./,
      (copy) => inConfig(copy, { num_hidden_layers: 3 }),
    ],
    [
      "a tensor that is unexpected",
      1,
      /has tensor "model\.layers\.1\..*", config\.json says num_hidden_layers 1/,
      (copy) => inConfig(copy, { num_hidden_layers: 1 }),
    ],
    [
      "a shape that is another",
      1,
      /gate_proj\.weight is \[\d+, 128\], config\.json says intermediate_size 96/,
      (copy) => inConfig(copy, { intermediate_size: 96 }),
    ],
    [
      "a value that is not finite",
      2,
      /model\.layers\.1\.input_layernorm\.weight holds NaN at \[5\]/,
      async (copy) => {
        const { offset } = await placeOf(copy, NORM);
        edit(join(copy, "model.safetensors"), (bytes) => void bytes.writeUInt16LE(0x7e00, offset + 10));
      },
    ],
    [
      "a token that the model has no embedding for",
      3,
      /the tokenizer has ".*" as token 5000, for which the model has no embedding: it has 2048/,
      (copy) =>
        editJson(join(copy, "tokenizer.json"), (json) => {
          json.model.vocab.T = 5000;
          return json;
        }),
    ],
    [
      "a text that comes back changed",
      3,
      /the tokenizer gives back ".*" for the text "Twice 21/,
      (copy) => editJson(join(copy, "tokenizer.json"), (json) => ({ ...json, decoder: null })),
    ],
    [
      "an EOS outside the vocabulary",
      3,
      /gives 2048 as the id of its EOS token; there are 2048, from id 0/,
      (copy) => editJson(join(copy, "generation_config.json"), (json) => ({ ...json, eos_token_id: [0, 2048] })),
    ],
    [
      "a BOS that is no id",
      3,
      /gives -1 as the id of its BOS token/,
      (copy) => {
        editJson(join(copy, "tokenizer_config.json"), ({ bos_token, ...json }) => json);
        editJson(join(copy, "generation_config.json"), (json) => ({ ...json, bos_token_id: -1 }));
      },
    ],
  ])("%s", async (_, passed, message, damage) => {
    const copy = copyFolder();
    await damage(copy);
    const outcome = await verify(copy);
    expect(outcome.error?.message).toMatch(message);
    expect(outcome.passed).toEqual(ALL.slice(0, passed));
  });

  test.each<[what: string, message: RegExp, change: (index: { weight_map: Record<string, string> }) => object]>([
    [
      "an index that leaves out a tensor",
      /index\.json does not name tensor "model\.norm\.weight", which a shard holds/,
      ({ weight_map: { "model.norm.weight": _, ...rest } }) => ({ weight_map: rest }),
    ],
    [
      "an index that gives another size",
      /index\.json says that the shards hold 7 bytes of tensors; they hold \d+/,
      (index) => ({ ...index, metadata: { total_size: 7 } }),
    ],
    [
      "an index that names a tensor that is not there",
      /lacks tensor "x", which model\.safetensors\.index\.json puts there/,
      (index) => ({ weight_map: { ...index.weight_map, x: SHARD } }),
    ],
  ])("%s", async (_, message, change) => {
    const copy = sharded();
    editJson(join(copy, INDEX), change);
    const outcome = await verify(copy);
    expect(outcome.error?.message).toMatch(message);
    expect(outcome.passed).toEqual([]);
  });
});

describe("of a GGUF file is named", () => {
  test.each<[what: string, passed: number, message: RegExp, (copy: string) => unknown]>([
    ["that it is cut short", 0, /x\.gguf is cut short/, (copy) => edit(copy, (bytes) => bytes.subarray(0, -40))],
    [
      "a width that its tensors do not have",
      1,
      /blk\.0\.ffn_.*\.weight is \[.*\], its GGUF header says intermediate_size 33/,
      (copy) => edit(copy, (bytes) => void bytes.writeUInt32LE(33, afterKey(bytes, "llama.feed_forward_length"))),
    ],
    [
      "a value that is not finite",
      2,
      /blk\.1\.attn_norm\.weight holds Infinity at \[3\]/,
      async (copy) => {
        const { offset } = await placeOf(copy, "blk.1.attn_norm.weight");
        edit(copy, (bytes) => void bytes.writeFloatLE(Number.POSITIVE_INFINITY, offset + 12));
      },
    ],
    [
      "an EOS outside the vocabulary",
      3,
      /gives 99999 as the id of its EOS token/,
      (copy) => edit(copy, (bytes) => void bytes.writeUInt32LE(99_999, afterKey(bytes, "tokenizer.ggml.eos_token_id"))),
    ],
    [
      "a weight that is too large",
      4,
      /gives logits that are not finite, though its weights are/,
      async (copy) => {
        const { offset, byteLength } = await placeOf(copy, "output_norm.weight");
        edit(copy, (bytes) => {
          for (let at = offset; at < offset + byteLength; at += 4) bytes.writeFloatLE(3e38, at);
          return bytes;
        });
      },
    ],
    [
      "an order of tensors that llama.cpp does not take",
      5,
      /llama\.cpp does not run it: tensor 'blk\.0\.ffn_gate\.weight' has offset/,
      (copy) =>
        edit(copy, (bytes) => {
          const [a, b] = ["blk.0.ffn_gate.weight", "blk.1.ffn_gate.weight"].map((name) => offsetField(bytes, name));
          const [first, second] = [bytes.readBigUInt64LE(a), bytes.readBigUInt64LE(b)];
          bytes.writeBigUInt64LE(second, a!);
          bytes.writeBigUInt64LE(first, b!);
          return bytes;
        }),
    ],
  ])("%s", async (_, passed, message, damage) => {
    const copy = copyFile();
    await damage(copy);
    const outcome = await verify(copy);
    expect(outcome.error?.message).toMatch(message);
    expect(outcome.passed).toEqual(ALL.slice(0, passed));
  });
});

describe("what llama.cpp chooses", () => {
  const run = async (askLlamaCpp: VerifyRequest["askLlamaCpp"]): Promise<Verification> => {
    const checkpoint = await openPath(file);
    const rest = { backend: nodeBackend(1), text: await bundledText(), budgetBytes: 2 ** 30 };
    try {
      return await verifyModel({ ...rest, checkpoint, askLlamaCpp }, () => {});
    } finally {
      await checkpoint.close();
    }
  };

  test("is compared token by token", async () => {
    const { firstTokens } = checkOf((await verify(file)).result!, "forward");
    const others = firstTokens.map((id, i) => (i === 2 ? (id + 1000) % 2048 : id));
    const { kind, message } = await compError(run(async () => ({ loaded: true, firstTokens: others })));
    expect(kind).toBe("checkpoint");
    expect(message).toContain(
      `continues with ${others.join(", ")} where our forward pass has ${firstTokens.join(", ")}`,
    );
  });

  test("is not known where it is not there, which is no failure", async () => {
    const absent = { loaded: false, reason: "node-llama-cpp is not installed" } as const;
    expect(checkOf(await run(async () => absent), "llama.cpp")).toEqual({ name: "llama.cpp", ...absent });
  });
});
