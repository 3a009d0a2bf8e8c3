import ArgumentParser
import SergeantCG
@main struct Sergeantcg: ParsableCommand { func run() { print(x()) } }
