import { describeHistories } from './describe-histories.ts';

describeHistories({ index: 1, of: 2 });
