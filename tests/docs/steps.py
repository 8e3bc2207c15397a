"""What each command of the docs does when it is typed: per page, in the page's order, how the command begins and what
shows that it had work to do and did it. That is a pattern of what it says, or, after `$ `, a test that fails before the
command and holds after it.
"""

from tests.docs.shell import Step

ACTIVE = ("source .venv/bin/activate", '$ [ -n "${VIRTUAL_ENV:-}" ]')
STAGED = ("git add -A", "$ ! git diff --cached --quiet")
COMMITTED = ("git commit", "$ git diff --cached --quiet")
WHOLE_RUN = (
    r"(?s)Running stage 'list_source'.*Running stage 'fetch_bars'.*Running stage 'sweep'.*Running stage 'report'"
)
NOTHING_TO_FIND = r"(?s)Running stage 'forecast'.* trades=0 .*report: verdict=FAIL.*Ran experiment.*is FAIL.*Error 3"

README: list[Step] = [
    ("make demo", r"demo: verdict INCONCLUSIVE, page artifacts/page/demo\.html"),
    ("make run", rf"{WHOLE_RUN}.*gate: PASS\. The page is"),
    ("make worth", r"(?s)WORTH IT \(decided .*nothing was\s+paid.*Evidence\s+\d+"),
    ACTIVE,
    ("dvc exp run -n wider_stop", r"(?s)Running stage 'backtest'.*Ran experiment\(s\): wider_stop"),
    ("make show", r"wider_stop: rules\.s_stop=1\.5\n  SEALED "),
    ("dvc params diff", r"rules\.s_stop +1\.0 +1\.5"),
    ("dvc metrics diff", r"verdict +PASS +SEALED"),
    ("dvc plots diff", "$ [ -e artifacts/plots/index.html ]"),
    ("! { make run PRESET=synthetic_null", NOTHING_TO_FIND),
    ("make params", r"params: discarded .*amplitude_bp"),
    ("make experiments NAME=k_sigma", r"(?s)(Running stage 'backtest'.*){2}Ran experiment\(s\)"),  # 0.5 stands already
    ("make show", r"(?s)k_sigma=1\.0: rules\.k_sigma=1\.0\n  SEALED .*k_sigma=0\.75: .*k_sigma=0\.5\n"),
]

FORECASTING: list[Step] = [
    ("md5sum", r"(?m)^([0-9a-f]{8})[0-9a-f]{24}  artifacts/build_requests/requests/STRONG/2024-10-29T1430Z-\1\.json$"),
]

BUYING: list[Step] = [
    ("make plan", r"plan: [1-9][\d,]* questions to timegpt(?s:.*)to buy +[1-9]\d*\n"),
]

COMMAND_FORECASTER: list[Step] = [  # on the smoke preset
    ACTIVE,
    ("cp examples/forecasters/last_value.py", "$ [ -e my_forecaster.py ]"),
    ("cp conf/forecaster/command.yaml", "$ [ -e conf/forecaster/mine.yaml ]"),
    ("sed -i", r"$ grep -q 'model: my_forecaster' conf/forecaster/mine.yaml"),
    ("make identify CHOICE=mine", r"identify: my_forecaster is [0-9a-f]{64} -> conf/forecaster/mine\.yaml"),
    ("make plan", r"by the program my_forecaster, which has answered 0 of them; price 0\."),
    STAGED,
    (
        "dvc exp run -n my_forecaster",
        r"(?s) computed=54 .*Running stage 'report'.*Ran experiment\(s\): my_forecaster",
    ),
    ("make adopt", "$ grep -q 'forecaster: mine' conf/config.yaml conf/preset/smoke.yaml"),  # where a preset stands
    ("echo", "$ grep -q 'another version' my_forecaster.py"),
    ("! { make run", r"error .*the files of the program my_forecaster .*they changed, and DVC cannot see them"),
    ("make identify", r"identify: my_forecaster is [0-9a-f]{64} -> conf/preset/smoke\.yaml"),
    ("dvc repro forecast", r"forecast: model=my_forecaster questions=54 calls=0 computed=54 "),
]

TUTORIAL: list[Step] = [
    ACTIVE,
    ("make new-run PRESET=my_study", "$ [ -e conf/preset/my_study.yaml ]"),
    ("make use PRESET=my_study", "$ grep -q my_study params.yaml"),
    ("make refresh", "$ [ -e conf/manifests/my_study.json ]"),
    STAGED,
    COMMITTED,
    ("make check-data", r"(?s)Running stage 'fetch_bars'.*check_data: verdict=\w+ symbols=1"),
    ('make plan SET="forecaster=timegpt"', r"to buy +244\n"),
    ('make plan SET="forecaster=timegpt requests=half_hourly"', r"to buy +732\n"),
    ("make plan SET=\"forecaster=timegpt requests.snapshots_et=['10:30']\"", r"to buy +61\n"),
    ("! { make run", r"(?s)Running stage 'report'.*the verdict is FAIL.*Error 3"),
    STAGED,
    COMMITTED,
    ("dvc exp run -n half_hourly", r"(?s)Running stage 'report'.*Ran experiment\(s\): half_hourly"),
    ("make compare A=HEAD B=half_hourly", "$ [ -e artifacts/page/HEAD-and-half_hourly.html ]"),
    ("! { make gate", r"(?s)the verdict is FAIL.*Error 3"),
    ("make adopt", "$ python -m stages params --check"),
    STAGED,
    COMMITTED,
    ("make trials", r"trials: [1-9][\d,]* variants? ever evaluated"),
    ("dvc repro", r"(?s)Running stage 'sweep'.*Running stage 'report'"),
    ("make doctor", r"(?m)^ok +composition +study my_study"),
    ("make budget PER_DAY=60", r"standing limit 60"),
    ("! { make whitelist", r"error .* finds no symbol eligible .*\n.*Error 3"),
    ("! { make adopt", r"error .* proposes nothing: .*\n.*Error 3"),
    ("! { make open-holdout", r"error .* this strategy trades nothing and the holdout stays sealed.*\n.*Error 3"),
    ("make audit INSTANTS=3", r"3 instants, [1-9]\d* questions, no key changed"),
    ("make page", "$ [ -e artifacts/page/workspace.html ]"),
]

SCALING: list[Step] = [
    ACTIVE,
    ("ENGINE=local:2 dvc repro", r"(?s)Running stage 'sweep'.*Running stage 'evaluate'.*Running stage 'report'"),
    ("echo local:2 > .engine", "$ [ -e .engine ]"),
    ("dvc status", r"Data and pipelines are up to date"),
    ("dvc exp run -n in_a_bucket", r"(?s)Running stage 'fetch_bars'.*Running stage 'sweep'.*Ran experiment"),
    ("make collect-partitions", r"collect_partitions: needed=[1-9]\d* garbage=0 deleted=0"),
    (
        "make collect-partitions ARGS=--delete",
        r"collect_partitions: needed=[1-9]\d* garbage=0 deleted=0",
    ),  # all are new
]

SHARING: list[tuple[str, str, str]] = [  # by whom first
    ("", *ACTIVE),
    ("", "dvc remote add -d team", "$ grep -q team .dvc/config"),
    ("", "git commit", "$ git diff --quiet HEAD -- .dvc/config"),
    ("", "make doctor", r"(?m)^ok +remote .*team"),
    ("", "make run", r"(?s)up to date.*gate: PASS"),  # what has run already shares its trials
    ("", "dvc push --run-cache", r"[1-9]\d* files pushed"),
    ("", "git push -q origin main", '$ [ "$(git rev-parse main)" = "$(git ls-remote origin main | cut -f1)" ]'),
    ("colleague", *ACTIVE),
    ("colleague", "dvc pull --run-cache", "$ [ -e artifacts/report/index.html ]"),
    ("colleague", "make run", r"(?s)up to date.*gate: PASS"),
    ("colleague", "make page", "$ [ -e artifacts/page/workspace.html ]"),
    ("colleague", "make spend", r"spend: \d+ runs?, 0 requests counted"),
    ("", "dvc exp run -n wider_stop", r"(?s)Running stage 'backtest'.*Ran experiment\(s\): wider_stop"),
    ("", "dvc exp push", "$ git ls-remote origin | grep -q /wider_stop"),
    ("", "make params", r"params: discarded .*s_stop"),
    ("colleague", "dvc exp pull", "$ git for-each-ref refs/exps | grep -q /wider_stop"),
    ("colleague", "make compare", "$ [ -e artifacts/page/wider_stop-and-HEAD.html ]"),
    ("colleague", "dvc plots diff", "$ [ -e artifacts/plots/index.html ]"),
    ("colleague", "dvc exp run -n same_again", r"(?s)is cached - skipping run.*Ran experiment\(s\): same_again"),
    ("neighbour", *ACTIVE),
    ("neighbour", "dvc cache dir", "$ grep -q dir .dvc/config.local"),
    ("neighbour", "dvc config", "$ grep -q shared .dvc/config.local"),
    ("neighbour", "dvc checkout", "$ [ -e artifacts/report/index.html ]"),
    ("neighbour", "make run", r"(?s)up to date.*gate: PASS"),
    ("colleague", "git switch -q -c wider_stop", "$ git rev-parse -q --verify wider_stop"),
    ("colleague", "make adopt", r"adopt: rules\.s_stop"),
    ("colleague", *STAGED),
    ("colleague", *COMMITTED),
    ("colleague", "make pr-comment BASE=main", "$ [ -e artifacts/pr_comment/comment.md ]"),
    ("colleague", "dvc push --run-cache", r"files? pushed|Everything is up to date"),  # same run, same files
]

DASK: list[Step] = [
    ACTIVE,
    ("mkdir -p artifacts", "$ [ -d artifacts ]"),
    ("dask scheduler", "$ kill -0 $SCHEDULER"),
    ("PYTHONPATH=. dask worker", "$ kill -0 $WORKERS"),
    ("ENGINE=dask://127.0.0.1:8786 dvc repro", WHOLE_RUN),
    ("kill $WORKERS", "$ ! kill -0 $WORKERS"),
]
