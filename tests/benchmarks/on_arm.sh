#!/usr/bin/env bash
# All stages of the smoke preset here and on an emulated 64-bit ARM processor: are the files the same to the byte?
# On Debian 12 with qemu-user, from the root of the repository, after `make demo`: bash tests/benchmarks/on_arm.sh
# Programs that a stage starts do not run in the emulator, so the engine is `loop`.
set -euo pipefail

ARM=$(mktemp -d); mkdir -p $ARM/apt/lists/partial $ARM/apt/archives/partial $ARM/system; touch $ARM/apt/status
cat > $ARM/apt.conf <<END
APT::Architecture "arm64"; APT::Architectures { "arm64"; "amd64"; };
Dir::State "$ARM/apt"; Dir::State::status "$ARM/apt/status"; Dir::Cache "$ARM/apt";
END
export APT_CONFIG=$ARM/apt.conf
apt-get -qq update
apt-get -qq install -y --download-only --no-install-recommends python3.11 libstdc++6 libgomp1 tzdata
for deb in $ARM/apt/archives/*.deb; do dpkg -x $deb $ARM/system; done
.venv/bin/uv pip install -q --target $ARM/site --python-platform aarch64-manylinux_2_31 --python-version 3.11 \
  --only-binary :all: --no-binary antlr4-python3-runtime --require-hashes -r requirements.txt
.venv/bin/python -c 'from stages.configuration.compose import compose, to_yaml
print(to_yaml(compose(overrides=["preset=smoke"])), end="")' > $ARM/smoke.yaml
STAGES=$(sed -n 's/^    cmd: python -m stages\.//p' dvc.yaml); export ENGINE=loop
run() { git clone -q . $1; cp $ARM/smoke.yaml $1/params.yaml; cd $1; for stage in $STAGES; do "${@:2}" -m stages.$stage; done; }
(run $ARM/here $PWD/.venv/bin/python)
(export PYTHONPATH=$ARM/site; run $ARM/arm qemu-aarch64 -L $ARM/system $ARM/system/usr/bin/python3.11)
for on in here arm; do (cd $ARM/$on; find artifacts -type f | sort | xargs sha256sum) > $ARM/$on.sums; done
diff $ARM/here.sums $ARM/arm.sums && echo the same
