# One image for ingest, aggregator, gateway and the `runlog` command. The container's command decides what it runs.
FROM node:20-bookworm-slim AS dependencies
WORKDIR /app
# Only the files that decide the dependencies, so that a change of the sources does not install them again.
COPY package.json package-lock.json ./
COPY packages/cli/package.json packages/cli/
COPY packages/client/package.json packages/client/
COPY packages/records/package.json packages/records/
COPY packages/run-feed/package.json packages/run-feed/
COPY packages/run-state/package.json packages/run-state/
COPY packages/schema/package.json packages/schema/
COPY packages/service-kit/package.json packages/service-kit/
COPY packages/topic-io/package.json packages/topic-io/
COPY services/aggregator/package.json services/aggregator/
COPY services/gateway/package.json services/gateway/
COPY services/ingest/package.json services/ingest/
# Native parts come prebuilt as packages of their own. No install script is needed, so none may run.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

# The page is bundled here, so that a gateway need not do it at each start. Its sources stay behind.
FROM dependencies AS page
COPY tsconfig.json ./
COPY packages packages
COPY services services
COPY scripts/build-page.ts scripts/
RUN node --import tsx scripts/build-page.ts && rm -r services/gateway/web

FROM node:20-bookworm-slim
ENV NODE_ENV=production
# npm does not link a command whose file does not exist yet, and the sources are copied last.
RUN ln -s /app/packages/cli/bin/runlog.js /usr/local/bin/runlog
WORKDIR /app
COPY --from=dependencies /app ./
COPY tsconfig.json ./
COPY packages packages
COPY --from=page /app/services services
# The sources belong to root: the service can read them, but cannot change them.
USER node
# The command is in exec form, and `runlog` replaces itself by node, so SIGTERM reaches the process that drains.
CMD ["runlog", "help"]
