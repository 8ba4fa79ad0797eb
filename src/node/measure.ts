// What changes no model, on this machine: paths in, events out.
import { freemem } from "node:os";
import type { GenerateEvent, Inspection } from "../events/model.ts";
import type { CurveEvent } from "../events/prune.ts";
import type { VocabularyEvent } from "../events/vocabulary.ts";
import { checkOptions } from "../method/resolve-method.ts";
import { openModel } from "../model/model.ts";
import { CurveOptions } from "../options/curve.ts";
import { parseDtypes } from "../options/dtypes.ts";
import { GenerateOptions } from "../options/generate.ts";
import { type CalibrationText, PruneOptions } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { traceCurve } from "../tasks/curve.ts";
import { generateText } from "../tasks/generate.ts";
import { inspectModel } from "../tasks/inspect.ts";
import { traceVocabulary } from "../tasks/vocabulary-curve.ts";
import { openTokenizer, tokenizerWarnings } from "../tokenizer/tokenizer.ts";
import { openBackend } from "./device.ts";
import { nodeHost, RESIDENT_SHARE } from "./host.ts";
import { withPaths } from "./open-path.ts";
import { probeScratch } from "./scratch-folder.ts";
import { type ModelRequest, streamEvents } from "./stream-events.ts";

export interface CurveRequest extends ModelRequest, Partial<CurveOptions> {
  /** Do without what earlier runs have found out about the model, and keep nothing of it; default false. */
  readonly noCache?: boolean | undefined;
}

/**
 * Measures how good a model would be at several sizes; writes none of them.
 *
 * @returns events of the progress; the last is "done" with the curve
 * @throws {CompError} whose message says what went wrong and whose hint says how to go on; kind "aborted" after the signal
 */
export const curve = (request: CurveRequest): AsyncGenerator<CurveEvent> =>
  streamEvents<CurveEvent>(async (report, signal) => {
    const { model, noCache, signal: _, ...given } = request;
    const { as, sparsity, quantized, ...rest } = parseOptions(CurveOptions, given);
    const options = parseOptions(PruneOptions, rest);
    const outputFormat = as === "gguf" ? "gguf" : "safetensors";
    checkOptions(options, outputFormat);
    await probeScratch();
    return withPaths(async (open) => {
      const checkpoint = await open(model);
      const backend = await openBackend(options, (await openModel(checkpoint)).spec);
      const { threads } = options;
      const host = nodeHost({ backend, outputFormat, place: ".", threads, noCache, signal });
      const rows = { sparsities: sparsity, quantized: parseDtypes(quantized) };
      return { type: "done", curve: await traceCurve(checkpoint, options, rows, host, report) };
    });
  }, request);

export interface VocabularyRequest extends ModelRequest {
  /** Whose tokens would stay. */
  readonly texts: readonly CalibrationText[];
}

/**
 * Shows how much texts take with how many tokens; writes nothing.
 *
 * @returns one event, "done" with the curve
 * @throws {CompError} "calibration" for a text without a token, "checkpoint" for a tokenizer whose vocabulary cannot be cut
 */
export const vocabulary = (request: VocabularyRequest): AsyncGenerator<VocabularyEvent> =>
  streamEvents<VocabularyEvent>(
    (_, signal) =>
      withPaths(async (open) => ({
        type: "done",
        curve: await traceVocabulary(await open(request.model), request.texts, signal),
      })),
    request,
  );

export type GenerateRequest = ModelRequest & Partial<GenerateOptions>;

/**
 * Continues a prompt.
 *
 * @returns tokens as they are decided; the last event is "done" with all of the text
 * @throws {CompError} "option" when the prompt fills the context, or is empty and the tokenizer has nothing to begin with
 */
export const generate = (request: GenerateRequest): AsyncGenerator<GenerateEvent> =>
  streamEvents<GenerateEvent>(async (report, signal) => {
    const { model: path, signal: _, ...given } = request;
    const options = parseOptions(GenerateOptions, given);
    return withPaths(async (open) => {
      const model = await openModel(await open(path));
      const tokenizer = await openTokenizer(model.checkpoint);
      for (const message of tokenizerWarnings(model.checkpoint)) report({ type: "warning", message });
      const backend = await openBackend(options, model.spec, 1); // a token at a time
      const budgetBytes = RESIDENT_SHARE * freemem();
      const tokens: number[] = [];
      let text = "";
      await generateText({ backend, model, tokenizer, options, budgetBytes, signal }, (token) => {
        tokens.push(token.id);
        text += token.text;
        report({ type: "token", ...token });
      });
      return { type: "done", result: { prompt: options.prompt, text, tokens, device: backend.device } };
    });
  }, request);

export type InspectRequest = Pick<ModelRequest, "model">;

/** Says what a model is; reads no weights. @throws {CompError} "checkpoint" or "architecture" when it is none that we know */
export const inspect = ({ model: path }: InspectRequest): Promise<Inspection> =>
  withPaths(async (open) => {
    const model = await openModel(await open(path));
    // a model without a usable tokenizer can still be looked at
    return inspectModel(model, await openTokenizer(model.checkpoint).catch(() => undefined));
  });
