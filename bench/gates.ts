/** What the figures are held against with `--gate`: ratios within one run, since nothing else carries over between machines. */

/** One number that stands for a row, and that a gate may speak of. */
export interface Figure {
  readonly name: string;
  readonly value: number;
}

export interface Gate {
  readonly scenario: string;
  /** Regular expression on the figure's name. */
  readonly figure: RegExp;
  /** Bounds that the median must keep: what is demanded, and what is aimed for. */
  readonly gate: number;
  readonly ambitious: number;
  /** Most figures must stay below their bound; these must reach it. */
  readonly atLeast?: boolean;
}

export const gates: readonly Gate[] = [
  { scenario: 'passthrough', figure: /1 KB .* cpu ÷ haproxy$/, gate: 1.6, ambitious: 1.25 },
  { scenario: 'passthrough', figure: /16 KB .* cpu ÷ haproxy$/, gate: 1.3, ambitious: 1.0 },
  { scenario: 'passthrough', figure: /(100 KB|1 MB) .* cpu ÷ haproxy$/, gate: 1.3, ambitious: 0.9 },
  { scenario: 'connections', figure: /500 .* cpu ÷ haproxy$/, gate: 2.1, ambitious: 1.6 },
  { scenario: 'connections', figure: /500 .* resident MB$/, gate: 120, ambitious: 85 },
  { scenario: 'policy', figure: /16 KB .* cpu ÷ off$/, gate: 1.15, ambitious: 1.05 },
  { scenario: 'policy', figure: /1 KB .* cpu ÷ off$/, gate: 1.35, ambitious: 1.15 },
  { scenario: 'latency', figure: /16 KB .* added p50 ÷ haproxy$/, gate: 2.2, ambitious: 1.5 },
  { scenario: 'audit', figure: /µs CPU per entry$/, gate: 3.5, ambitious: 2.2 },
  { scenario: 'tls', figure: /cpu ÷ haproxy$/, gate: 1.5, ambitious: 1.1 },
  { scenario: 'clients', figure: /librdkafka .* MB\/s ÷ direct$/, gate: 0.85, ambitious: 0.92, atLeast: true },
  // Java's, where they take what they can get: at a steady rate CPU per GB says what a request costs, not what a gigabyte does.
  { scenario: 'clients', figure: /^java (produce|consume) .* cpu ÷ kroxylicious$/, gate: 1.0, ambitious: 0.6 },
  { scenario: 'soak', figure: /resident growth MB per minute$/, gate: 1, ambitious: 0.2 },
  { scenario: 'soak', figure: /descriptor growth$/, gate: 0, ambitious: 0 },
];

export interface Verdict {
  readonly figure: string;
  readonly value: number;
  readonly gate: number;
  readonly ambitious: number;
  readonly met: boolean;
  readonly ambitiousMet: boolean;
}

/** A figure that no gate speaks of has no verdict; one that has no value has missed. */
export function judge(scenario: string, figures: readonly Figure[]): Verdict[] {
  return figures.flatMap(({ name, value }) => {
    const gate = gates.find((one) => one.scenario === scenario && one.figure.test(name));
    if (gate === undefined) return [];
    const keeps = (bound: number): boolean => (gate.atLeast === true ? value >= bound : value <= bound);
    return [
      {
        figure: name,
        value,
        gate: gate.gate,
        ambitious: gate.ambitious,
        met: keeps(gate.gate),
        ambitiousMet: keeps(gate.ambitious),
      },
    ];
  });
}
