/** Resolves to the work's result, or to undefined once `msMax` are over. The work itself continues. */
export async function within<Result>(work: Promise<Result>, msMax: number): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, msMax, undefined);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
