# Sourced by the lab's scripts, which set $lab (the folder of this file) first.
# Says where things are; starts nothing.
root=$(cd "$lab/../.." && pwd)
LAB_CACHE=${HVSCOPE_LAB_CACHE:-$root/build/lab}
case $LAB_CACHE in
/*) ;;
*) LAB_CACHE=$PWD/$LAB_CACHE ;;
esac
export LAB_CACHE
