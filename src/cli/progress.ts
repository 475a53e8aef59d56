/** How far a long piece of work is: one line on a terminal, rewritten; nothing elsewhere. */
export interface Progress {
  show(done: number, total: number, detail?: string): void;
  end(): void;
}

const everyMs = 200;

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let shownMs = 0;
  const clear = '\r\u001b[K';
  return {
    show(done, total, detail = '') {
      if (!stream.isTTY || performance.now() - shownMs < everyMs) return;
      shownMs = performance.now();
      const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
      stream.write(`${clear}${percent} % of ${Math.ceil(total / 1_000_000)} MB  ${detail}`);
    },
    end() {
      if (shownMs > 0) stream.write(clear);
    },
  };
}
