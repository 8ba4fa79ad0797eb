import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Library } from "../../src/cli/command.ts";
import { besideModel } from "../../src/cli/paths.ts";
import { runCommandLine } from "../../src/cli/run.ts";
import { CompError } from "../../src/errors.ts";
import type { EvalResult, Inspection } from "../../src/events/model.ts";
import type { PruneEvent } from "../../src/events/prune.ts";
import * as library from "../../src/index.ts";
import { renderComparison } from "../../src/report/comparison.ts";
import { captureScreen } from "../helpers/captured-screen.ts";
import { comparison } from "../helpers/comparison.ts";
import { curve } from "../helpers/curve.ts";
import { pruneEvents } from "../helpers/prune-result.ts";

const folder = mkdtempSync(join(tmpdir(), "comp-cli-"));
const notes = join(folder, "notes.txt");
writeFileSync(notes, "Some text.");
writeFileSync(join(folder, "latin1.txt"), Buffer.from([0x66, 0xfc, 0x72]));

const inspection: Inspection = {
  model: "tiny",
  format: "safetensors",
  family: "llama",
  hiddenSize: 64,
  headDim: 16,
  vocabSize: 128,
  maxPositionEmbeddings: 2048,
  tiedEmbeddings: true,
  layers: [0, 1, 2].map((i) => ({
    mixer: "attention" as const,
    intermediateSize: 192,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    slidingWindow: i === 2 ? 32 : undefined,
  })),
  parameters: { embeddings: 8192, attention: 36_864, mlp: 110_592, norms: 448, head: 0, total: 156_096 },
  bytes: 312_192,
  dtypes: { F16: 29 },
  tokenizer: { vocabSize: 128, withoutEmbedding: 0, addsBos: true, bosTokenId: 1, eosTokenIds: [2] },
};

const evaluation: EvalResult = {
  model: "m",
  text: "notes.txt",
  perplexity: 30.4444,
  bitsPerByte: 1.2,
  tokens: 8176,
  protocol: "windows",
  windows: 16,
  context: 512,
  densePerplexity: 27.2,
  klDivergence: 0.1234567,
  topOneAgreement: 0.8,
  device: "cpu",
  seconds: 3,
};

type Call = { name: string; request: unknown };

function fakeLibrary(calls: Call[], events: readonly PruneEvent[] = pruneEvents): Library {
  return {
    ...library,
    async *prune(request) {
      calls.push({ name: "prune", request });
      yield* events;
    },
    async *compare(request) {
      calls.push({ name: "compare", request });
      yield { type: "cell", number: 1, total: 1, preset: "flap", sparsity: 0.2 };
      yield { type: "done", comparison };
    },
    async *curve(request) {
      calls.push({ name: "curve", request });
      yield { type: "calibration", ...curve.calibration };
      for (const point of curve.points) yield { type: "point", point };
      yield { type: "done", curve };
    },
    async inspect(request) {
      calls.push({ name: "inspect", request });
      return inspection;
    },
    async *evaluate(request) {
      calls.push({ name: "evaluate", request });
      yield { type: "done", result: evaluation };
    },
    async *generate({ prompt = "" }) {
      yield { type: "token", id: 7, text: " there" };
      yield { type: "token", id: 8, text: " was" };
      yield { type: "done", result: { prompt, text: " there was", tokens: [7, 8], device: "cpu" } };
    },
  };
}

async function run(
  argv: string[],
  {
    library,
    signal = new AbortController().signal,
    terminal = false,
    debug = false,
  }: { library?: Library; signal?: AbortSignal; terminal?: boolean; debug?: boolean } = {},
) {
  const { screen, out, err } = captureScreen({ terminal });
  const calls: Call[] = [];
  const loadLibrary = async () => library ?? fakeLibrary(calls);
  const code = await runCommandLine(argv, { version: "1.2.3", loadLibrary, screen, signal, debug });
  return { code, out: out(), err: err(), calls };
}

function failing(error: unknown): Library {
  return {
    ...fakeLibrary([]),
    // biome-ignore lint/correctness/useYield: it fails before the first event
    async *prune() {
      throw error;
    },
  };
}

describe("help", () => {
  test.each([[[]], [["--help"]], [["help"]]])("%j lists the commands", async (argv) => {
    const { code, out, err } = await run(argv);
    expect(code).toBe(0);
    expect(err).toBe("");
    for (const command of ["prune", "curve", "compare", "inspect", "verify", "eval", "generate"])
      expect(out).toContain(`comp ${command} MODEL`);
  });

  test("every command explains its flags, two ways", async () => {
    for (const command of ["prune", "curve", "compare", "inspect", "verify", "eval", "generate"]) {
      const { out } = await run(["help", command]);
      expect(out).toContain("--json");
      expect((await run([command, "model", "--help"])).out).toBe(out);
    }
  });

  test("prune's help", async () => expect((await run(["help", "prune"])).out).toMatchSnapshot());

  test("--version prints the version", async () => expect((await run(["--version"])).out).toBe("1.2.3\n"));
});

describe("refusals", () => {
  test.each([
    [["prun", "m"], 2, "comp: there is no command prun\n  did you mean comp prune?\n"],
    [
      ["dance"],
      2,
      "comp: there is no command dance\n  the commands are prune, curve, vocabulary, compare, fit, inspect, verify, eval, generate, bench, cache\n",
    ],
    [["prune", "m", "--sparcity", "0.2"], 2, "comp: there is no flag --sparcity\n  did you mean --sparsity?\n"],
    [["prune", "m", "--sparsity", "-1"], 2, "comp: --sparsity must be between 0 and 0.95, got -1\n"],
    [
      ["curve", "m", "--sparsity", "20,30%"],
      2,
      "comp: --sparsity must be numbers between 0 and 0.95, such as 0.1,0.2 or 10%,20%, got 20,30%\n  for 20 percent write 20% or 0.2\n",
    ],
    [["prune", "m", "--calibration", join(folder, "no.txt")], 1, `comp: there is no text file ${folder}/no.txt\n`],
    [
      ["prune", "m", "--calibration", folder],
      1,
      `comp: ${folder} is a folder, not a text file\n  give the files in it, one by one\n`,
    ],
    [
      ["eval", "m", "--text", join(folder, "latin1.txt")],
      1,
      `comp: ${folder}/latin1.txt cannot be read as UTF-8 text: line 1 is not UTF-8\n  if it is text, convert it, such as by iconv -f WINDOWS-1252 -t UTF-8\n`,
    ],
  ])("%j", async (argv, code, err) => expect(await run(argv)).toMatchObject({ code, err, out: "" }));

  test.each([[["prune"]], [["prune", "a", "b"]]])("%j shows an example", async (argv) => {
    const { code, err } = await run(argv);
    expect(code).toBe(2);
    expect(err.split("\n")[1]).toMatch(/^ {2}for example: comp prune /);
  });

  test("an expected failure is its message and its hint", async () => {
    const error = new CompError("budget", "too much", { hint: "ask for less" });
    const { code, err } = await run(["prune", "m"], { library: failing(error) });
    expect([code, err]).toEqual([1, "comp: too much\n  ask for less\n"]);
  });

  test("an unexpected failure is one line and a request to report it, its stack only in debug mode", async () => {
    const library = failing(new TypeError("x is undefined\nat y"));
    const { code, err } = await run(["prune", "m"], { library });
    expect(code).toBe(1);
    expect(err).toMatch(/^comp: unexpected error: x is undefined\n.*please report.*\n$/);
    expect((await run(["prune", "m"], { library, debug: true })).err).toContain("run.test.ts");
  });

  test("a stopped run says that nothing was written", async () => {
    const controller = new AbortController();
    controller.abort();
    const library = failing(new CompError("aborted", "stopped; nothing was written"));
    const { code, err } = await run(["prune", "m"], { library, signal: controller.signal });
    expect([code, err]).toEqual([130, "comp: stopped; nothing was written\n"]);
  });
});

describe("prune", () => {
  test("hands texts, options and output to the library", async () => {
    const argv = ["prune", "models/tiny", "--calibration", notes, "--sparsity", "0.3", "--overwrite"];
    const [call] = (await run(argv)).calls;
    expect(call!.request).toMatchObject({
      model: "models/tiny",
      output: join(process.cwd(), "models/tiny-pruned"),
      overwrite: true,
      sparsity: 0.3,
      calibration: [{ name: "notes.txt", text: "Some text." }],
      preset: "best",
    });
    expect(call!.request).not.toHaveProperty("json");
  });

  test.each([
    ["/m/tiny", "/m/tiny-pruned"],
    ["/m/tiny/", "/m/tiny-pruned"],
    ["/m/tiny.gguf", "/m/tiny-pruned"],
  ])("the default output of %s is %s", (model, output) => expect(besideModel(model, "pruned")).toBe(output));

  test("prints plan, table and figures on stdout, warnings alone on stderr", async () => {
    const { code, out, err } = await run(["prune", "m"]);
    expect(code).toBe(0);
    expect(err).toBe("comp: warning: the text is short\n");
    expect(out).toMatchSnapshot();
  });

  test("on a terminal the results are the same, the live line goes to stderr", async () => {
    const { out, err } = await run(["prune", "m"], { terminal: true });
    expect(out).toBe((await run(["prune", "m"])).out);
    expect(err).toContain("pruning 0/1");
  });

  test("--json prints one event a line, without the kept indices", async () => {
    const { out } = await run(["prune", "m", "--json"]);
    const events = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ type }) => type)).toEqual(pruneEvents.map(({ type }) => type));
    expect(out).not.toContain('"kept"');
  });
});

describe("eval", () => {
  test("prints the figures", async () => {
    expect((await run(["eval", "m", "--text", notes, "--dense", "d"])).out).toMatchSnapshot();
  });

  test("--json prints one object on one line", async () => {
    const { out, calls } = await run(["eval", "m", "--text", notes, "--dense", "d", "--json", "--windows", "0"]);
    expect(JSON.parse(out)).toEqual(evaluation);
    expect(out.trim()).not.toContain("\n");
    expect(calls[0]!.request).toEqual({
      model: "m",
      text: { name: "notes.txt", text: "Some text." },
      dense: "d",
      windows: 0,
      protocol: "windows",
      bos: false,
      probes: false,
      seed: 0,
      limit: 0,
      device: "auto",
      signal: expect.any(AbortSignal),
    });
  });
});

test("each split that was tried is a line that names all that the trials decide about", async () => {
  const split = { sparsity: 0.3, reached: 0.302, layers: 5, intermediateSize: 88, klDivergence: 0.25 };
  const splits = [split, { ...split, experts: 12 }, { ...split, experts: 12, heads: 2 }];
  const events = [...splits.map((one): PruneEvent => ({ type: "split", split: one })), ...pruneEvents.slice(-1)];
  const { out } = await run(["prune", "m"], { library: fakeLibrary([], events) });
  const rest = "88 neurons, 30.2 % less: KL divergence 0.25 on part of the text";
  expect(out).toContain(`  tried         5 layers of ${rest}\n`);
  expect(out).toContain(`  tried         5 layers of 12 experts of ${rest}\n`);
  expect(out).toContain(`  tried         5 layers of 2 heads and 12 experts of ${rest}\n`);
});

describe("limits of quality", () => {
  const collapsed = { before: 20, after: 5120 };
  const events = pruneEvents.flatMap((event): PruneEvent[] => {
    if (event.type !== "done" || event.result.quality === undefined) return [event];
    const { quality } = event.result;
    const trial = { sparsity: 0.3, parameters: 100, quality, isWithin: false };
    const result = { ...event.result, quality: { ...quality, perplexity: collapsed } };
    return [
      { type: "trial", trial },
      { type: "done", result },
    ];
  });

  test("each trial is a line, and a collapsed model is called so", async () => {
    const { out } = await run(["prune", "m", "--max-perplexity-increase", "15%"], { library: fakeLibrary([], events) });
    expect(out).toMatch(/^ {2}tried {9}30\.0 % less: perplexity .* % more, KL divergence .*, beyond the limit$/m);
    expect(out).toContain("beware          collapsed: 256 times the dense perplexity; the model is of no use");
  });

  test.each([
    ["15%", 0.15],
    ["0.15", 0.15],
    ["2.5 %", 0.025],
    ["150%", 1.5],
  ])("%s more perplexity is a share", async (text, share) => {
    const calls: Call[] = [];
    await run(["prune", "m", `--max-perplexity-increase=${text}`], { library: fakeLibrary(calls) });
    expect(calls[0]!.request).toMatchObject({ maxPerplexityIncrease: share });
  });

  test.each(["15", "many", "-1", "0%"])("%s is no share", async (text) => {
    const { code, err } = await run(["prune", "m", `--max-perplexity-increase=${text}`]);
    expect([code, err.split("\n")[0]]).toEqual([
      2,
      `comp: --max-perplexity-increase must be a share such as 15% or 0.15, got ${text}`,
    ]);
  });
});

describe("curve", () => {
  test("prints a row for each size, the dense model last, and says what collapsed and what is out of reach", async () => {
    const calls: Call[] = [];
    const { out } = await run(["curve", "m", "--sparsity", "0.2,0.6,0.9", "--samples", "8"], {
      library: fakeLibrary(calls),
    });
    expect(calls[0]!.request).toMatchObject({ model: "m", sparsity: [0.2, 0.6, 0.9], samples: 8, as: "folder" });
    expect(out).toMatchInlineSnapshot(`
      "  calibration   128 windows × 256 = 32,768 tokens of notes.txt, chats.jsonl; 32 windows written by the model itself

      | removed |    parameters |   weights | perplexity | KL divergence | same choice |  |
      |--------:|--------------:|----------:|-----------:|--------------:|------------:|---|
      |  20.3 % |   107,612,006 |  215.2 MB |       27.5 |          0.31 |      74.0 % |  |
      |  60.1 % |    53,644,000 |  107.3 MB |       5120 |           5.6 |       3.0 % | collapsed: 256 times the dense perplexity |
      |  90.0 % |             – |         – |          – |             – |           – | a sparsity of 0.9 cannot be reached |
      |     0 % |   134,515,008 |  269.0 MB |         20 |             0 |       100 % | the dense model |

      Measured on held-out windows of the calibration text; comp prune writes any of these models. Made by comp 0.1.0, seed 0, 2 processor cores.
      "
    `);
  });

  test("--json prints one object", async () => {
    expect(JSON.parse((await run(["curve", "m", "--json"])).out)).toEqual(curve);
  });
});

describe("compare", () => {
  test("hands texts, options and folder to the library, and prints the tables", async () => {
    const argv = [
      "compare",
      "m",
      "--presets",
      "flap,best",
      "--sparsity",
      "0.1,0.2",
      "--text",
      notes,
      "--calibration",
      notes,
    ];
    const { code, out, calls } = await run(argv);
    expect(code).toBe(0);
    expect(out).toBe(renderComparison(comparison));
    const text = { name: "notes.txt", text: "Some text." };
    expect(calls[0]!.request).toMatchObject({
      model: "m",
      output: join(process.cwd(), "m-compare"),
      ...{ presets: "flap,best", sparsity: [0.1, 0.2], context: 512, windows: 16 },
      calibration: [text],
      texts: [text],
      keep: false,
    });
  });

  test("--json prints one object", async () => {
    const { out } = await run(["compare", "m", "--text", notes, "--json"]);
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(comparison)));
  });

  test.each([
    [["--presets", "flap"], "comp: --text is missing\n"],
    [["--text", notes, "--sparsity", "0.1,x"], "comp: --sparsity must be numbers between 0 and 0.95, such as 0.1,0.2"],
  ])("%j is refused", async (flags, message) => {
    const { code, err, calls } = await run(["compare", "m", ...flags]);
    expect([code, calls]).toEqual([2, []]);
    expect(err).toContain(message);
  });
});

test("generate prints prompt and continuation as one text", async () => {
  expect((await run(["generate", "m", "--prompt", "Once"])).out).toBe("Once there was\n");
  const { out } = await run(["generate", "m", "--prompt", "Once", "--json"]);
  expect(JSON.parse(out)).toEqual({ prompt: "Once", text: " there was", tokens: [7, 8], device: "cpu" });
});

describe("inspect", () => {
  test("needs no arithmetic, and takes no threads", async () => {
    expect((await run(["inspect", "m", "--threads", "2"])).err).toContain("there is no flag --threads");
  });

  test("prints shapes, parameters by part, tokenizer and what can be pruned", async () => {
    expect((await run(["inspect", "m"])).out).toMatchSnapshot();
  });

  test("--json prints everything", async () => {
    expect(JSON.parse((await run(["inspect", "m", "--json"])).out)).toEqual(JSON.parse(JSON.stringify(inspection)));
  });
});
