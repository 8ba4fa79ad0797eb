// What a recovery is: given which neurons stay, it returns the down_proj that best makes up for those that go.
import type { Gemm } from "../linalg/gemm.ts";
import type { HeldOutSums } from "./choose-ridge.ts";

export interface RecoveryInput {
  /** G = ZᵀZ over the calibration tokens, f32 [m, m]; Z [tokens, m] is the input of down_proj. */
  readonly gram: Float32Array;
  /** Mean of Z over the tokens, f32 [m]. */
  readonly mean: Float32Array;
  readonly tokenCount: number;
  /** W, f32 [hiddenSize, m]. */
  readonly downProj: Float32Array;
  readonly hiddenSize: number;
  /** Indices of the neurons that stay, ascending [k]. */
  readonly kept: Int32Array;
  /** Σ e zᵀ, f32 [hiddenSize, m]: e is how far a token's hidden state lies behind the dense model's after the uncut layer. */
  readonly drift?: Float32Array | undefined;
  /** S = E[g gᵀ], f32 [hiddenSize, hiddenSize]: g is the gradient of the loss at the projection's output. */
  readonly lossCovariance?: Float32Array | undefined;
  /** The part of `gram` and `drift` that may be held out of a fit to choose its ridge, where there is little text. */
  readonly heldOut?: HeldOutSums | undefined;
  /** Damping as a share of the mean diagonal of the system; each recovery has its default. */
  readonly ridge?: number;
}

export interface Recovered {
  /** Ŵ, f32 [hiddenSize, k]. */
  readonly downProj: Float32Array;
  /** To be added to the output, f32 [hiddenSize]. */
  readonly bias?: Float32Array;
  /** Figures for the report, by name. */
  readonly diagnostics: Readonly<Record<string, number>>;
}

export interface Recovery {
  readonly name: string;
  /** One line for the help text. */
  readonly description: string;
  /** Whether it needs `drift` and `lossCovariance`, and refits o_proj too. */
  readonly towardsDense?: boolean;
  /** @throws {CompError} "numeric" when the statistics are not finite or their system cannot be solved */
  recover(input: RecoveryInput, context: { readonly gemm: Gemm }): Promise<Recovered>;
}
