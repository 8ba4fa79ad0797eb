// Held-out windows that judge pruned models against the dense one.
import type { Backend } from "../compute/backend.ts";
import type { Quality } from "../events/common.ts";
import type { ResidentStates } from "../forward/run/hidden-states.ts";
import type { LayerRunner } from "../forward/run/layer-runner.ts";
import type { Model } from "../model/model.ts";
import type { TokenWindows } from "../model/spec/token-windows.ts";
import { type Evaluation, evaluateHidden, evaluateModel } from "./compare-models.ts";

/** Judges any number of pruned models; what the dense model has to say about the windows is computed for the first of them. */
export class Judge {
  /** Windows that took no part in any statistics. */
  readonly windows: TokenWindows;
  #dense: ResidentStates | undefined;

  constructor(windows: TokenWindows) {
    this.windows = windows;
  }

  /** Whether the dense model's hidden states are known. */
  get knowsDense(): boolean {
    return this.#dense !== undefined;
  }

  /** Takes the dense model's hidden states after its last layer. */
  rememberDense(states: ResidentStates): void {
    this.#dense = states;
  }

  /** Quality of a pruned model whose hidden states after its last layer are `states`; those of the dense model must be known. */
  async qualityOf({ programs }: LayerRunner, model: Model, states: ResidentStates): Promise<Quality> {
    return qualityIn(await evaluateHidden(programs, model, this.windows, states, this.#dense!));
  }

  /** Quality of a model that has been written, all of whose weights may be rounded; the dense model's hidden states must be known. */
  async qualityOfWritten(backend: Backend, written: Model, dense: Model): Promise<Quality> {
    const denseHidden = async (): Promise<Float32Array> => this.#dense!.all;
    return qualityIn(await evaluateModel(backend, written, this.windows, { dense, denseHidden }));
  }
}

function qualityIn({ perplexity, tokens, comparison }: Evaluation): Quality {
  const { densePerplexity, klDivergence, topOneAgreement } = comparison!;
  return {
    on: "held-out calibration windows",
    tokens,
    perplexity: { before: densePerplexity, after: perplexity },
    klDivergence,
    topOneAgreement,
  };
}
